"""A trial's checkpoints in a store: committed by their manifest, verified when read, the newest good one chosen."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from data_shards.store import FolderStore, Store
from trainers.checkpoint import MANIFEST, DamagedCheckpoint, Unpacked, pack, unpack

logger = logging.getLogger(__name__)
KEEP = 2  # the newest checkpoint may turn out damaged
OURS = re.compile(r"step-(\d{8})/([^/]+)")


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints below `folder`, one folder each, named by their step."""

    store: Store
    folder: str

    def steps(self) -> list[int]:
        """The committed steps, ascending. A folder without a manifest is not a checkpoint."""
        return sorted(step for step, name in self._files() if name == MANIFEST)

    def save(self, state: Mapping[str, Tensor], step: int, about: Mapping[str, Any]) -> str:
        """Write and commit a checkpoint, drop those beyond the last `KEEP`; returns the state's digest."""
        packed = pack(state, step, about)
        for name, content in packed.files.items():  # the manifest is the last of them
            self.store.write(f"{self._at(step)}/{name}", content)
        self.prune(step)
        return packed.digest

    def load(self, step: int) -> Unpacked:
        """One checkpoint, verified. Raises DamagedCheckpoint or FileNotFoundError."""
        at = self._at(step)
        try:
            return unpack(self.store.read(f"{at}/{MANIFEST}"), lambda name: self.store.read(f"{at}/{name}"))
        except (DamagedCheckpoint, FileNotFoundError) as error:
            raise DamagedCheckpoint(f"{at}/{error}") from error

    def newest(self) -> Unpacked | None:
        """The newest good checkpoint; damaged ones are named in the log and passed over."""
        for step in reversed(self.steps()):
            try:
                return self.load(step)
            except DamagedCheckpoint as error:
                logger.warning("damaged checkpoint passed over: %s", error)
        return None

    def prune(self, latest: int) -> None:
        """Keep the last `KEEP` checkpoints up to step `latest`, which was saved just now.

        What lies above it was passed over as damaged, or else belongs to a successor that took this process for dead: what
        is good there stays. What has no manifest was left by a crash. A manifest goes first.
        """
        files = self._files()
        steps = sorted(step for step, name in files if name == MANIFEST)
        kept = {step for step in steps if step > latest and self._is_good(step)}
        kept.update([step for step in steps if step <= latest][-KEEP:])
        doomed = [(name != MANIFEST, step, name) for step, name in files if step not in kept]
        for _, step, name in sorted(doomed):
            self.store.delete(f"{self._at(step)}/{name}")
        if isinstance(self.store, FolderStore):
            for step in {step for _, step, _ in doomed}:
                with suppress(OSError):  # somebody's file is still in it
                    self.store.path(self._at(step)).rmdir()

    def _is_good(self, step: int) -> bool:
        try:
            self.load(step)
        except DamagedCheckpoint:
            return False
        return True

    def _files(self) -> list[tuple[int, str]]:
        """(step, file name) of everything that is ours here; other people's folders are none of our business."""
        paths = (path.removeprefix(f"{self.folder}/") for path in self.store.list(f"{self.folder}/step-"))
        return [(int(match[1]), match[2]) for path in paths if (match := OURS.fullmatch(path))]

    def _at(self, step: int) -> str:
        return f"{self.folder}/step-{step:08d}"
