"""Processes that wait: made ready first, then told what to do, all at once, and timed by whoever asks.

A waiting process sleeps in a pipe and takes no core, so several groups can stand ready and be measured in turns.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

Serve = Callable[..., None]  # serve(pipe, *arguments): answers every message; returns at the message None


class Group:
    """One process of `serve` for each row of arguments, all of which must be picklable."""

    def __init__(self, serve: Serve, arguments: Sequence[tuple[Any, ...]]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for row in arguments:
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, *row), daemon=True)
            process.start()
            theirs.close()  # or a process that died would leave us waiting for its answer
            self._pipes.append(ours)
            self._processes.append(process)

    def ask(self, messages: Sequence[Any], first: int = 0) -> list[Any]:
        """Send each process its message, from the `first` on, and wait for all answers. Those without a message stay asleep.

        Raises EOFError where a process died.
        """
        asked = list(zip(self._pipes[first:], messages, strict=False))
        for pipe, message in asked:
            pipe.send(message)
        return [pipe.recv() for pipe, _ in asked]

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join()
