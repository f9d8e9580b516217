"""A run's checkpoints in a store: committed by their manifest, verified when read, the newest good one chosen.

Which ones count and which stay is decided in `cluster.checkpoints.retention`. An attempt deletes nothing that a later one made.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from cluster.checkpoints.reading import read_checkpoint, read_manifest
from cluster.checkpoints.retention import Listing, Marker, Place, parse_marker, parse_place, staying
from cluster.checkpoints.staging import leftovers, remove_folder, staged
from cluster.run import Keep
from data_shards.errors import DataError
from data_shards.store import TEMPORARY, Store
from trainers.checkpoint import MANIFEST, STATE, DamagedCheckpoint, Manifest, NewerFormat, Unpacked, write_state
from trainers.state import digest

logger = logging.getLogger(__name__)
LOOKS = 20  # at a folder in which somebody deletes files meanwhile
MICRO_BATCHES = (
    "micro_batches"  # in what is said about a checkpoint: into how many parts a replica's batch was dealt, if at all
)
SCORE = "score"  # in what is said about a checkpoint: the number that the best ones are chosen by


class Superseded(RuntimeError):
    """A later attempt at the same run has begun: this one must save nothing more."""


@dataclass(frozen=True)
class Found:
    """What an attempt goes on from, and the attempt that made it; None at the very beginning.

    damaged: a text for each checkpoint that was passed over, naming the file and what is wrong with it.
    """

    unpacked: Unpacked | None
    damaged: tuple[str, ...] = ()
    attempt: int = 0


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints below `folder`, as seen by the attempt with this number; `keep` says which ones stay."""

    store: Store
    folder: str
    attempt: int = 0
    keep: Keep = field(default_factory=Keep)
    _scores: dict[Place, float | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def begin(self, upto: int | None = None) -> Found:
        """Start this attempt: find the newest good checkpoint (of step `upto` at most), mark the step from which it goes on,
        and sweep up what earlier attempts left torn or beyond that.

        For rank 0 alone; the other ranks `load` what it found. Raises Superseded, and DataError for a newer format.
        """
        found = self._newest_good(self._unless_later(), upto)
        start = 0 if found.unpacked is None else found.unpacked.step
        self.store.create(f"{self.folder}/{Marker(self.attempt, start).name}", b"")
        listing = self._unless_later()  # of two that begin at once, the earlier one sees the later one here
        remains = {place for place in (*listing.torn, *listing.superseded) if place.attempt < self.attempt}
        with _tidying():
            self.delete(listing, remains - {Place(start, found.attempt)})
            self._delete_leftovers(self.attempt - 1)
        return found

    def save(self, state: Mapping[str, Tensor], step: int, about: Mapping[str, Any], score: float | None = None) -> str:
        """Write and commit a checkpoint, then drop those that need not stay; returns the state's digest.

        state: CPU tensors that nobody changes meanwhile. Raises Superseded, and OSError or DataError where the store fails.
        """
        place = Place(step, self.attempt)
        known = None if score is None or not math.isfinite(score) else float(score)
        said = {**about, **({} if known is None else {SCORE: known})}
        self._unless_later()
        try:
            with ExitStack() as undo:
                undo.callback(self._withdraw, place)
                with staged(self.store, f"{self.at(place)}/{STATE}") as file:
                    size, sha256 = write_state(state, file)
                manifest = Manifest(step, digest(state), size, sha256, said, time.time())
                self._unless_later()
                self.store.write(f"{self.at(place)}/{MANIFEST}", manifest.encode())
                undo.pop_all()
        except FileNotFoundError:
            self._unless_later()  # it swept up what was being written
            raise
        self._scores[place] = known
        self._retain(step)
        return manifest.digest

    def load(self, step: int, attempt: int | None = None) -> Unpacked:
        """The checkpoint of that step which counts, or the one that this attempt made; verified. Raises DamagedCheckpoint."""
        listing = self.look()
        if attempt is None:
            attempt = max((place.attempt for place in listing.valid if place.step == step), default=0)
        return self.read(Place(step, attempt), listing)

    def newest(self) -> Unpacked | None:
        """The newest good checkpoint; damaged ones are named in the log and passed over. DataError for a newer format."""
        found = self._newest_good(self.look())
        for text in found.damaged:
            logger.warning("damaged checkpoint passed over: %s", text)
        return found.unpacked

    def steps(self) -> list[int]:
        """The steps of the checkpoints that count, ascending."""
        return sorted({place.step for place in self.look().valid})

    def drop_after(self, step: int) -> None:
        """Delete this run's checkpoints above `step`: the training goes another way from there. Raises Superseded."""
        listing = self._unless_later()
        above = [place for place in listing.files if place.step > step and place.attempt <= self.attempt]
        for place in sorted(above, reverse=True):  # a crash in between leaves the older ones
            self.delete(listing, {place})

    def at(self, place: Place) -> str:
        """The folder of a checkpoint."""
        return f"{self.folder}/{place.folder}"

    def look(self) -> Listing:
        """What there is."""
        prefix = f"{self.folder}/"
        for _ in range(LOOKS - 1):
            # A folder's listing fails where a file is deleted between its name and its size.
            with suppress(FileNotFoundError):
                return Listing.of(prefix, self.store.entries(prefix))
        return Listing.of(prefix, self.store.entries(prefix))

    def read(self, place: Place, listing: Listing) -> Unpacked:
        """One of a listing, verified. Raises DamagedCheckpoint."""
        return read_checkpoint(self.store, self.at(place), place, listing.files.get(place, {}))

    def describe(self, place: Place, listing: Listing) -> Manifest:
        """What one of a listing says of itself. Raises DamagedCheckpoint."""
        return read_manifest(self.store, self.at(place), place, listing.files.get(place, {}))

    def scores(self, listing: Listing) -> dict[Place, float]:
        """The scores of the checkpoints that count and have one."""
        for place in listing.valid:
            if place not in self._scores:
                self._scores[place] = self._read_score(place, listing)
        return {place: score for place in listing.valid if (score := self._scores[place]) is not None}

    def delete(self, listing: Listing, places: Collection[Place]) -> None:
        """Delete the files of these checkpoints, the manifests first: what is left of one is no checkpoint."""
        files = [(name != MANIFEST, place, name) for place in places for name in listing.files.get(place, {})]
        for _, place, name in sorted(files):
            self.store.delete(f"{self.at(place)}/{name}")
        for place in places:
            remove_folder(self.store, self.at(place))

    def leftovers(self) -> dict[str, int]:
        """Half-written files of ours that killed processes left, by path, with sizes in bytes."""
        return {
            path: size for path, size in leftovers(self.store, self.folder).items() if self._maker(path) is not None
        }

    def delete_leftover(self, path: str) -> None:
        """Delete one of them, and its folder if that is empty then."""
        self.store.delete(path)
        remove_folder(self.store, path.rpartition("/")[0])

    def _delete_leftovers(self, last: int) -> None:
        """Those of the attempts up to `last`."""
        for path in self.leftovers():
            maker = self._maker(path)
            if maker is not None and maker <= last:
                self.delete_leftover(path)

    def _maker(self, path: str) -> int | None:
        """The attempt that was writing a file with a temporary name; None for other people's."""
        folder, _, name = path.removeprefix(f"{self.folder}/").rpartition("/")
        made = parse_place(folder) or parse_marker(name.removeprefix(TEMPORARY).rpartition("-")[0])
        return None if made is None else made.attempt

    def _newest_good(self, listing: Listing, upto: int | None = None) -> Found:
        damaged: list[str] = []
        for place in reversed(listing.valid):
            if upto is not None and place.step > upto:
                continue
            try:
                return Found(self.read(place, listing), tuple(damaged), place.attempt)
            except NewerFormat as error:
                raise DataError(str(error)) from error
            except DamagedCheckpoint as error:
                damaged.append(str(error))
        return Found(None, tuple(damaged))

    def _unless_later(self) -> Listing:
        """What there is. Raises Superseded where a later attempt has left its marker."""
        listing = self.look()
        if later := listing.later(self.attempt):
            told = f"attempt {later.attempt} went on from step {later.start}"
            raise Superseded(f"{self.folder}: {told}, so attempt {self.attempt} must save nothing more")
        return listing

    def _retain(self, latest: int) -> None:
        with _tidying():
            listing = self._unless_later()
            scores = self.scores(listing) if self.keep.best else {}
            stay = staying(listing.valid, self.keep, scores, latest)
            self.delete(
                listing, {place for place in listing.files if place not in stay and place.attempt <= self.attempt}
            )
            self._delete_leftovers(self.attempt)

    def _read_score(self, place: Place, listing: Listing) -> float | None:
        try:
            score = self.describe(place, listing).about.get(SCORE)
        except DamagedCheckpoint:
            return None
        return float(score) if isinstance(score, int | float) and math.isfinite(score) else None

    def _withdraw(self, place: Place) -> None:
        """Give back the room of what was not committed. Not in a remote store, which has room and may be what failed."""
        if self.store.remote:
            return
        with suppress(OSError):
            listing = self.look()
            if MANIFEST not in listing.files.get(place, {}):
                self.delete(listing, {place})


@contextmanager
def _tidying() -> Iterator[None]:
    """A store that deletes nothing, for now or for us, is no reason to stop: what should go stays, and is tried again."""
    try:
        yield
    except (OSError, DataError) as error:
        logger.warning("old checkpoints could not be deleted: %s", error)
