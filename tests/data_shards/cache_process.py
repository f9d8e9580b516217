"""Processes that use a cache as a test tells them to.

Run as a program, this is such a process: it reads one command a line and answers each with a line.
"""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

from data_shards.cache.shards import Held, ShardCache
from data_shards.counters import COUNTS
from data_shards.errors import DataError
from tests.data_shards.cache_world import PATIENCE, Origin, content, shard_of

ROOT = Path(__file__).parents[2]


class Process:
    """Another process with a ShardCache on `folder`, for the shards that are in `origin`."""

    def __init__(
        self,
        folder: Path,
        origin: Path,
        limit: int,
        *,
        halt: str = "",
        before: str = "",
        greeting: str = "ready",
        **how: float,
    ) -> None:
        """halt: the shard in whose middle it stops until it is told "go". before: shell commands to run first, alone
        with their mounts. greeting: how what it says first begins. how: further arguments of ShardCache.
        """
        arguments = [str(folder), str(origin), str(limit), halt, json.dumps(how)]
        command = [sys.executable, "-m", "tests.data_shards.cache_process", *arguments]
        if before:
            command = ["unshare", "-rm", "sh", "-c", f'{before} && exec "$@"', "sh", *command]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, bufsize=0)
        self.pid = self._process.pid
        said = self.heard()
        assert said.startswith(greeting), said

    def say(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n".encode())

    def heard(self) -> str:
        assert self._process.stdout
        assert select.select([self._process.stdout], [], [], PATIENCE)[0], "no answer"
        return self._process.stdout.readline().decode().strip()

    def ask(self, command: str) -> str:
        self.say(command)
        return self.heard()

    def count(self, name: str) -> float:
        return float(json.loads(self.ask("counts"))[name])

    def is_waiting(self) -> bool:
        """Whether it waits for a lock."""
        waiting = (line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line)
        return any(str(self.pid) in fields for fields in waiting)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


class Told:
    """What such a process does: it answers each line it reads with a line."""

    def __init__(self, folder: str, origin: str, limit: str, halt: str, how: str) -> None:
        self.halt = halt
        self.shards = {file.name: shard_of(file.read_bytes()) for file in Path(origin).glob("*.tar")}
        self.held: dict[str, Held] = {}
        store = Origin(Path(origin), self.half)
        self.cache = ShardCache(Path(folder), int(limit), store, self.shards, {}, lambda name: 0, **json.loads(how))

    def half(self, name: str) -> None:
        if name == self.halt:
            self.halt = ""
            self.serve("half")

    def serve(self, first: str) -> None:
        """Until it is told to go on."""
        print(first, flush=True)
        for line in iter(sys.stdin.readline, "go\n"):
            if not line:
                sys.exit()
            print(self.answer(*line.split()), flush=True)

    def answer(self, verb: str, *names: str) -> str:
        """open, close, read (that is both) shards; counts; ls FOLDER; fill FILE: let it take the rest of the disk."""
        if verb == "counts":
            return json.dumps(COUNTS.snapshot())
        if verb == "ls":
            return " ".join(sorted(os.listdir(names[0])))
        if verb == "fill":
            return fill(names[0])
        for name in names:
            if verb != "close":
                try:
                    self.held[name] = self.cache.open(name)
                except (OSError, ValueError) as failure:
                    return f"{type(failure).__name__}: {failure}"
                if shard_of(content(self.held[name])) != self.shards[name]:
                    return f"{name} is wrong"
            if verb != "open":
                self.held.pop(name).close()
        return "done"


def fill(name: str) -> str:
    with open(name, "wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError as failure:
                return os.strerror(failure.errno or 0)


if __name__ == "__main__":
    try:
        told = Told(*sys.argv[1:])
    except DataError as refusal:
        print(f"DataError: {refusal}")
    else:
        told.serve("ready")
