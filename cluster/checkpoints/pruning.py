"""Clears a run's folder of what serves nobody: for people who need room, while nothing trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.checkpoints.folder import Checkpoints
from cluster.checkpoints.retention import Listing, Place, staying
from cluster.run import Keep
from data_shards.errors import DataError
from trainers.checkpoint import DamagedCheckpoint, NewerFormat


@dataclass(frozen=True)
class Doomed:
    """Something to delete: its path in the store, its bytes, and why."""

    path: str
    bytes: int
    why: str


def prune(checkpoints: Checkpoints, keep: Keep, dry_run: bool) -> Iterator[Doomed]:
    """Delete all but the good checkpoints that `keep` asks for; each thing is told after it is gone (`dry_run`: is spared).

    Whatever is to stay is read and verified first, so that the last ones are the last good ones; where none is good, none is
    deleted for being damaged. Nobody may be writing checkpoints meanwhile. Raises DataError for a newer format.
    """
    listing = checkpoints.look()
    stay, damaged = _good(checkpoints, keep, listing)
    for place in sorted(listing.files):
        if place in stay:
            continue
        if not dry_run:
            checkpoints.delete(listing, {place})
        size = sum(entry.size for entry in listing.files[place].values())
        yield Doomed(checkpoints.at(place), size, _why(listing, place, damaged))
    for path, size in sorted(checkpoints.leftovers().items()):
        if not dry_run:
            checkpoints.delete_leftover(path)
        yield Doomed(path, size, "half-written by a process that was killed")


def _why(listing: Listing, place: Place, damaged: dict[Place, str]) -> str:
    if place in listing.torn:
        return "torn: it was never committed"
    if place in listing.superseded:
        return "superseded: a later attempt went on from an earlier step"
    return f"damaged: {damaged[place]}" if place in damaged else "neither among the last nor among the best"


def _good(checkpoints: Checkpoints, keep: Keep, listing: Listing) -> tuple[set[Place], dict[Place, str]]:
    """The checkpoints that stay, all of them verified, and the damaged ones met on the way, with what is wrong."""
    good: set[Place] = set()
    damaged: dict[Place, str] = {}
    while True:
        left = [place for place in listing.valid if place not in damaged]
        if not left:
            return set(listing.valid), damaged
        stay = set(staying(left, keep, checkpoints.scores(listing), left[-1].step))
        if stay <= good:
            return stay, damaged
        for place in stay - good:
            try:
                checkpoints.read(place, listing)
                good.add(place)
            except NewerFormat as error:
                raise DataError(str(error)) from error
            except DamagedCheckpoint as error:
                damaged[place] = str(error)
