"""A trial's checkpoints in a store: committed by their manifest, verified when read, the newest good one chosen."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from data_shards.store import Store
from trainers.checkpoint import MANIFEST, DamagedCheckpoint, Unpacked, pack, unpack

logger = logging.getLogger(__name__)
KEEP = 2  # the newest checkpoint may turn out damaged


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints below `folder`, one folder each, named by their step."""

    store: Store
    folder: str

    def steps(self) -> list[int]:
        """The committed steps, ascending. A folder without a manifest is not a checkpoint."""
        manifests = [path for path in self.store.list(f"{self.folder}/step-") if path.endswith(f"/{MANIFEST}")]
        return sorted(int(path.split("/")[-2].removeprefix("step-")) for path in manifests)

    def save(self, state: Mapping[str, Tensor], step: int, about: Mapping[str, Any]) -> str:
        """Write and commit a checkpoint, drop those beyond the last `KEEP`; returns the state's digest."""
        packed = pack(state, step, about)
        for name, content in packed.files.items():  # the manifest is the last of them
            self.store.write(f"{self._at(step)}/{name}", content)
        self.prune()
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

    def prune(self) -> None:
        """Keep the last `KEEP` checkpoints; also remove what a crash left uncommitted. The manifest goes first."""
        kept = {self._at(step) for step in self.steps()[-KEEP:]}
        doomed = [p for p in self.store.list(f"{self.folder}/step-") if p.rsplit("/", 1)[0] not in kept]
        for path in sorted(doomed, key=lambda p: not p.endswith(f"/{MANIFEST}")):
            self.store.delete(path)

    def _at(self, step: int) -> str:
        return f"{self.folder}/step-{step:08d}"
