"""Small training states and the folder they go to, for the tests of checkpoints."""

import json
import os
import signal
import time
from contextlib import contextmanager
from multiprocessing import get_context

import torch

from data_shards.store import FolderStore
from trainers.checkpoint import MANIFEST, STATE

FOLDER = "s/trials/0000/checkpoints"


def state(step, size=64):
    """A state that tells the step; `size` numbers."""
    return {"counter.step": torch.tensor(step), "model.w": torch.full((size,), float(step))}


def is_whole(found):
    """Whether a checkpoint that was found holds the state of its step."""
    return int(found.state["counter.step"]) == found.step and bool((found.state["model.w"] == found.step).all())


def taken(found):
    """What an attempt goes on from, which is something."""
    assert found.unpacked is not None
    return found.unpacked


def names(store):
    """The folders and markers there are, without what is in them."""
    paths = store.list(f"{FOLDER}/")
    return sorted({path.removeprefix(f"{FOLDER}/").partition("/")[0] for path in paths})


def tamper(store, path, change):
    """Change the bytes of a file of the store."""
    raw = bytearray(store.read(path))
    store.write(path, bytes(change(raw)))


def flipped(raw):
    """One bit in the middle is another."""
    raw[len(raw) // 2] ^= 1
    return raw


def as_first_written(store, step):
    """A checkpoint in the bytes of the first version: the library's file, a manifest that says no time."""
    from hashlib import sha256

    from safetensors.torch import save

    from trainers.state import digest

    payload = save(state(step))
    entry = {"bytes": len(payload), "sha256": sha256(payload).hexdigest()}
    body = {"step": step, "digest": digest(state(step)), "files": {STATE: entry}, "about": {"said": step}}
    signed = {"format": 1, "sha256": sha256(json.dumps(body, sort_keys=True).encode()).hexdigest(), "body": body}
    store.write(f"{FOLDER}/step-{step:08d}/{STATE}", payload)
    store.write(f"{FOLDER}/step-{step:08d}/{MANIFEST}", json.dumps(signed, indent=1, sort_keys=True).encode())


class Crash(Exception):
    pass


class CrashingStore(FolderStore):
    """Dies at the n-th change of what it holds. It passes for a remote one: all it gets goes through its own methods."""

    remote = True
    left = 10**6

    def write(self, path, data):
        self._count()
        super().write(path, data)

    def create(self, path, data):
        self._count()
        return super().create(path, data)

    def upload(self, path, source):
        self._count()
        return super().upload(path, source)

    def delete(self, path):
        self._count()
        super().delete(path)

    def _count(self):
        if self.left == 0:
            raise Crash
        self.left -= 1


@contextmanager
def process(work, *arguments):
    """A process that runs `work(tell, *arguments)`; gives what it tells as an iterator. It is killed at the end."""
    context = get_context("fork")  # it has torch at hand at once, and only writes files
    ours, theirs = context.Pipe(duplex=False)
    running = context.Process(target=_alone, args=(work, theirs.send, *arguments), daemon=True)
    running.start()
    theirs.close()

    def told():
        while ours.poll(60):
            try:
                yield ours.recv()
            except EOFError:
                return
        raise AssertionError("the process says nothing")

    try:
        yield running, told()
    finally:
        running.kill()
        running.join()
        ours.close()


def _alone(work, *arguments):
    torch.set_num_threads(1)  # a fork has none of the others
    work(*arguments)


def kill(running):
    """Kill a process as the kernel does when memory is short."""
    os.kill(running.pid, signal.SIGKILL)
    running.join()


def until(condition, seconds=60.0):
    """Wait until that is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)
