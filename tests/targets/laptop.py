"""A machine from which commands are given, each in a process of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Laptop:
    """A machine from which commands are given: its folder, its variables, and the cluster that it knows."""

    folder: Path
    env: dict[str, str]
    storage: str
    address: str
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def start(self, *words: object, **variables: str) -> "subprocess.Popen[str]":
        """A command, running."""
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *map(str, words)],
            cwd=self.folder,
            env=self.env | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *words: object, timeout: float = 240, **variables: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a command."""
        process = self.start(*words, **variables)
        out, err = process.communicate(timeout=timeout)
        return process.returncode, out, err

    def ok(self, *words: object) -> str:
        """The standard output of a command that must succeed."""
        code, out, err = self.run(*words)
        assert code == 0, out + err
        return out

    def status(self) -> Any:
        """`status -o json`, as another process sees it."""
        return json.loads(self.ok("status", "far", "--storage", self.storage, "-o", "json"))

    def ask(self, command: str, *words: object) -> str:
        """A command about the sweep."""
        return self.ok(command, "far", "--storage", self.storage, *words)
