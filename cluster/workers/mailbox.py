"""Between a trial and the workers of its group: reports one way, verdicts and wishes the other.

An actor of its own for each launch: whoever holds on to the mailbox of an earlier launch gets an error, never an answer
that is meant for others. It imports next to nothing, because its process is started while a training waits.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster.report import Report


@dataclass(frozen=True)
class Member:
    """A worker of the group, and where it runs."""

    rank: int
    node: str  # Ray's id
    host: str
    pid: int


class Mailbox:
    """Carries reports from rank 0 to the trial, and verdicts back in their order."""

    def __init__(self) -> None:
        self._reports: asyncio.Queue[Report | None] = asyncio.Queue()
        self._verdicts: asyncio.Queue[bool] = asyncio.Queue()
        self._members: dict[int, Member] = {}
        self._wished = asyncio.Event()
        self._wish = ""

    async def tell(self, report: Report) -> bool:
        """Post a report and wait for the verdict: whether to go on."""
        await self._reports.put(report)
        return await self._verdicts.get()

    async def next(self, timeout: float) -> Report | None:
        """The next report; None after `timeout` seconds, or where the group has ended meanwhile."""
        try:
            return await asyncio.wait_for(self._reports.get(), timeout)
        except TimeoutError:
            return None

    async def stir(self) -> None:
        """Let `next` return: there is something else to look at."""
        await self._reports.put(None)

    async def answer(self, go_on: bool) -> None:
        """The verdict on the report that was taken last."""
        await self._verdicts.put(go_on)

    async def join(self, member: Member) -> None:
        """A worker is there."""
        self._members[member.rank] = member

    async def members(self) -> dict[int, Member]:
        """The workers that are there, by rank."""
        return self._members

    async def wish(self, what: str) -> None:
        """Ask the group to save and end, and why."""
        self._wish = what
        self._wished.set()

    async def wished(self) -> str:
        """Wait until the group is asked to save and end; why."""
        await self._wished.wait()
        return self._wish


def open_mailbox() -> Any:
    """A mailbox in a process on this node, which belongs to this process and ends with it."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=here).remote()
