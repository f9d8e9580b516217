"""The sides of the loader benchmarks: the Stream, a bare decode of the same pictures, and other libraries' loaders.

Each side is a function that takes so many pictures and says how many seconds they took. It takes some before its clock
starts: what a loader fetched ahead while the others were timed does not count.
"""

from __future__ import annotations

import itertools
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import simplejpeg

from benchmarks.measure import Finding, Timed, Watch, interleave, quiet, ratio
from benchmarks.peer import AHEAD, BATCH, CONVERT
from data_shards.augment import Augment
from data_shards.manifest import Manifest
from data_shards.stream import Stream

THREADS = 2
PREFETCH = 4  # draws; 64 pictures
CHUNK = 32  # pictures that a thread of the bare decode takes at once: small, so that both end together
WORKERS = (0, 1, 2)  # processes of another library's loader; the best of them counts
SCRIPT = Path(__file__).with_name("peer.py")
Take = Callable[[int], float]


def bare(files: Sequence[Path]) -> Take:
    """Nothing but simplejpeg, from memory into memory that is used again and again: what no loader can beat."""
    pool, pictures = ThreadPoolExecutor(THREADS), [file.read_bytes() for file in files]
    height, width, *_ = simplejpeg.decode_jpeg_header(pictures[0])
    endless = itertools.cycle(pictures)

    def decode(chunk: Sequence[bytes]) -> None:
        room = np.empty((height, width, 3), np.uint8)
        for data in chunk:
            simplejpeg.decode_jpeg(data, "RGB", buffer=room)

    def run(count: int) -> None:
        chunks = [list(itertools.islice(endless, CHUNK)) for _ in range(count // CHUNK)]
        list(pool.map(decode, chunks))

    def take(count: int) -> float:
        run(AHEAD)
        began = time.perf_counter()
        run(count)
        return time.perf_counter() - began

    return take


def streamed(uri: str, image: int, augment: Augment | None) -> Take:
    """The Stream over domain a of the shards at `uri`, with no memory of decoded pictures."""
    stream = Stream(
        Manifest.open(uri),
        sources={"a": ("a",)},
        image=image,
        batch=BATCH,
        replicas=1,
        seed=0,
        augment=augment,
        hosted=[0],
        threads=THREADS,
        prefetch=PREFETCH,
        memory_bytes=0,
    )
    draws = itertools.count()

    def read(count: int) -> None:
        for _ in range(count // BATCH):
            stream.read("a", next(draws), 0)

    def take(count: int) -> float:
        read(AHEAD)
        began = time.perf_counter()
        read(count)
        return time.perf_counter() - began

    return take


class Peer:
    """A library's loader in processes of its own, which stand still (SIGSTOP) until they are asked: some of them poll.

    They share a group apart from ours, so that the system itself ends stopped ones whose parent is gone.
    """

    def __init__(self, name: str, folder: Path, workers: int, python: str = sys.executable) -> None:
        self._command = [python, "-P", str(SCRIPT), name, str(folder), str(workers)]
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
        )
        self.version = self._answer()
        self._signal(signal.SIGSTOP)

    @staticmethod
    def convert(name: str, folder: Path, python: str) -> None:
        """Write the pictures of `folder` in the library's own format beside them."""
        subprocess.run([python, "-P", str(SCRIPT), name, str(folder), CONVERT], check=True, stdout=sys.stderr)

    def take(self, count: int) -> float:
        """Seconds for so many pictures."""
        assert self._process.stdin
        self._signal(signal.SIGCONT)
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        answer = float(self._answer())
        self._signal(signal.SIGSTOP)
        return answer

    def close(self) -> None:
        """End the processes."""
        self._signal(signal.SIGCONT)
        self._process.communicate()

    def _signal(self, number: signal.Signals) -> None:
        os.killpg(self._process.pid, number)

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended with {self._process.wait()}")
        return line


class Comparison:
    """All sides timed in turns, `count` pictures in each block; one more round goes before the others, to warm up.

    wait: as in `interleave`. Each ratio is taken over the rounds during which others disturbed neither of its two sides.
    """

    def __init__(self, takes: Mapping[str, Take], count: int, rounds: int, wait: float) -> None:
        def watched(take: Take) -> Timed:
            watch, cpu = Watch(), time.process_time()
            return Timed(take(count), watch.others(), time.process_time() - cpu)

        found = interleave({name: partial(watched, take) for name, take in takes.items()}, rounds + 1, wait)
        self._blocks = {name: timed[1:] for name, timed in found.items()}
        self._count = count

    def rate(self, name: str) -> float:
        """Pictures a second."""
        blocks, _ = quiet({name: self._blocks[name]})
        return self._count / statistics.median(block.seconds for block in blocks[name])

    def fastest(self, names: Iterable[str]) -> str:
        """The side with the highest rate."""
        return max(names, key=self.rate)

    def ratio(self, name: str, over: str, under: str, *, target: float | None = None, note: str = "") -> Finding:
        """Seconds of one side / seconds of the other."""
        pair, reason = quiet({over: self._blocks[over], under: self._blocks[under]})
        took = [[block.seconds for block in pair[side]] for side in (over, under)]
        return ratio(name, *took, target=target, at_least=True, note=note, unfit=reason)

    def cpu_ratio(self, name: str, over: str, under: str) -> Finding:
        """CPU seconds of one side / CPU seconds of the other, both of this process, in all rounds."""
        took = [[block.cpu for block in self._blocks[side]] for side in (over, under)]
        return ratio(name, *took, target=None, at_least=True)

    def __str__(self) -> str:
        busy = statistics.median(block.others for blocks in self._blocks.values() for block in blocks)
        each = ", ".join(f"{name} {self.rate(name):,.0f}" for name in self._blocks)
        return f"pictures a second: {each}; cores that others kept busy: {busy:.2f} in the median block"
