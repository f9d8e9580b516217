"""Which checkpoints of a run count, and which of them stay: pure functions over a listing of the run's folder.

A run is started many times, and a worker that is cut off may take itself for alive and go on committing. So each start has
a number, its attempt, and leaves a marker of the step from which it went on: what an earlier attempt commits beyond that
step belongs to a training that did not take place, and is never read. No clock and no lease is involved.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import NamedTuple

from cluster.run import Keep
from data_shards.store import Entry
from trainers.checkpoint import MANIFEST

FOLDER = re.compile(r"step-(\d{8,})(?:-a(\d{4,}))?")
MARKER = re.compile(r"attempt-(\d{4,})-from-(\d{8,})")


class Place(NamedTuple):
    """Names one checkpoint of a run: the step, and the attempt that made it."""

    step: int
    attempt: int = 0

    @property
    def folder(self) -> str:
        """The folder that holds it."""
        return f"step-{self.step:08d}" + (f"-a{self.attempt:04d}" if self.attempt else "")


class Marker(NamedTuple):
    """Says that `attempt` went on from step `start`."""

    attempt: int
    start: int

    @property
    def name(self) -> str:
        """The file that says it; it is empty."""
        return f"attempt-{self.attempt:04d}-from-{self.start:08d}"


@dataclass(frozen=True)
class Listing:
    """What a run's folder holds of ours: the files of each checkpoint by name, and the markers."""

    files: Mapping[Place, Mapping[str, Entry]]
    markers: tuple[Marker, ...] = ()

    @staticmethod
    def of(prefix: str, entries: Mapping[str, Entry]) -> Listing:
        """From a store's entries below `prefix`. Other people's files and folders are none of our business."""
        files: dict[Place, dict[str, Entry]] = {}
        markers = []
        for full, entry in sorted(entries.items()):
            path = full.removeprefix(prefix)
            folder, _, name = path.partition("/")
            place = parse_place(folder)
            if place is not None and name and "/" not in name:
                files.setdefault(place, {})[name] = entry
            if not name and (marker := parse_marker(path)) is not None:
                markers.append(marker)
        return Listing(files, tuple(sorted(markers)))

    @property
    def torn(self) -> list[Place]:
        """Those without a manifest: no checkpoints, but the remains of one that was being written."""
        return sorted(place for place, names in self.files.items() if MANIFEST not in names)

    @property
    def valid(self) -> list[Place]:
        """The committed ones that belong to this run's training, the oldest first."""
        return sorted(place for place, names in self.files.items() if MANIFEST in names and self.is_current(place))

    @property
    def superseded(self) -> list[Place]:
        """The committed ones that do not: a later attempt went on from an earlier step."""
        return sorted(place for place, names in self.files.items() if MANIFEST in names and not self.is_current(place))

    def is_current(self, place: Place) -> bool:
        """Whether no later attempt went on from a step before it."""
        return all(place.step <= marker.start for marker in self.markers if marker.attempt > place.attempt)

    def later(self, attempt: int) -> Marker | None:
        """The marker of the highest attempt above `attempt`; None where there is none."""
        return max((marker for marker in self.markers if marker.attempt > attempt), default=None)


def parse_place(folder: str) -> Place | None:
    """The checkpoint whose folder is called so; None for any other name."""
    match = FOLDER.fullmatch(folder)
    place = Place(int(match[1]), int(match[2] or 0)) if match else None
    return place if place is not None and place.folder == folder else None


def parse_marker(name: str) -> Marker | None:
    """The marker whose file is called so; None for any other name."""
    match = MARKER.fullmatch(name)
    marker = Marker(int(match[1]), int(match[2])) if match else None
    return marker if marker is not None and marker.name == name else None


def staying(valid: Iterable[Place], keep: Keep, scores: Mapping[Place, float], latest: int) -> Set[Place]:
    """Those of the `valid` checkpoints that stay, where the one of step `latest` is known to be good.

    The last `keep.last` steps up to `latest` (at least one), and the best `keep.best` of those that have a score, of which
    the earlier one wins a tie. What lies above `latest` stays too: either it turned out damaged, and will be made anew, or it
    is somebody else's.
    """
    valid = sorted(valid)
    chosen = {place.step for place in valid if place.step > latest}
    chosen.update(sorted({place.step for place in valid if place.step <= latest})[-max(1, keep.last) :])
    sign = 1.0 if keep.mode == "min" else -1.0
    ranked = sorted((sign * scores[place], place.step) for place in valid if place in scores)
    chosen.update(list(dict.fromkeys(step for _, step in ranked))[: keep.best])
    return {place for place in valid if place.step in chosen}
