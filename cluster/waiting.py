"""Trials that wait until a node has room for them: after a while they say so, and what they wait costs nothing.

Tune looks for a place for ever, without a word. The surprise is that such a trial has "started" by the log, since Tune was given
it: so the log has to say that nothing runs for it yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ray.exceptions import RayError

from cluster.conductor import Conductor
from cluster.workers.nodes import free, places_wanted, total

TOLD_AFTER_S = 30.0  # of waiting
LOOK_S = 1.0  # between two looks at the cluster
KINDS = ("CPU", "GPU")
Resources = Mapping[str, float]  # kind -> how many


@dataclass(frozen=True)
class Cluster:
    """wanted: how many trials no node has room for. total: what the nodes have together; free: what is free on each."""

    wanted: int
    total: Resources
    free: Sequence[Resources]


def look_at_cluster() -> Cluster:
    """The cluster as its head sees it now."""
    return Cluster(places_wanted(), total(), list(free().values()))


class Waiting:
    """The trials of `conductor` that wait."""

    def __init__(self, conductor: Conductor, look_around: Callable[[], Cluster] = look_at_cluster) -> None:
        self._conductor, self._look_around = conductor, look_around
        self._since: dict[int, float] = {}  # trial -> since when it has had no process
        self._told: set[int] = set()
        self._looked = 0.0

    def look(self, unplaced: Mapping[int, Resources]) -> None:
        """Called all the time. unplaced: trial -> what it takes, of those without a process, in the order in which they get one."""
        for index in self._since.keys() - unplaced.keys():
            self.end(index)
        now = time.monotonic()
        self._since = {index: self._since.get(index, now) for index in unplaced}
        due = [i for i, since in self._since.items() if now - since >= TOLD_AFTER_S and i not in self._told]
        if not due or now - self._looked < LOOK_S:
            return
        self._looked = now
        try:
            cluster = self._look_around()
        except RayError:
            return  # whoever needs Ray's head will say it; a look does not
        roomless = list(unplaced)[max(0, len(unplaced) - cluster.wanted) :]  # a process may also need long to start
        for index in due:
            if index in roomless:
                self.tell(index, lack(unplaced[index], cluster))

    def tell(self, index: int, text: str) -> None:
        """A trial waits, and nothing has run for it since it was heard of last."""
        trial = self._conductor.state.trials[index]
        self._told.add(index)
        if trial.state == "running":
            self._conductor.book.record("waits", trial=index, step=trial.step, text=text)

    def end(self, index: int) -> None:
        """A trial waits no longer; nothing happens where it has not said that it does."""
        if index in self._told and self._conductor.state.trials[index].state == "running":
            self._conductor.book.record("placed", trial=index)
        self._told.discard(index)


def lack(asked: Resources, cluster: Cluster) -> str:
    """What a trial waits for."""
    kinds = [kind for kind in KINDS if asked.get(kind, 0.0) > 0]
    most = {kind: max((node.get(kind, 0.0) for node in cluster.free), default=0.0) for kind in kinds}
    has = f"the cluster has {_counted(cluster.total, kinds)}, and at most {_counted(most, kinds)} free on one node"
    return f"waiting for {_counted(asked, kinds)} on one node: {has}"


def _counted(resources: Resources, kinds: Iterable[str]) -> str:
    counts = [(resources.get(kind, 0.0), kind) for kind in kinds]
    return " and ".join(f"{count:g} {kind}{'' if count == 1 else 's'}" for count, kind in counts)
