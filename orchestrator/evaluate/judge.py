"""The task network that `evaluate --task` asks, and the classes that its readings are held against.

The classes are those of `labels.csv`, the table that `shards build folder` reads: in the folder of the inputs or the one that this
lies in; where no inputs are given, of the generated pictures.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_shards.build.labels import LABELS, read_labels
from data_shards.errors import DataError
from orchestrator.errors import Refusal, nearest
from orchestrator.evaluate.files import SUFFIXES, Names
from orchestrator.task.task import TaskNetwork, look_up, notes_on
from trainers.outputs import FEATURES, LOGITS, MAPS

if TYPE_CHECKING:
    from trainers.features import OfTask

OPTION = "--task"


@dataclass(frozen=True)
class Judge:
    """A task network that was found. classes: picture -> the number of its class, of those that are known; from `table`, if any."""

    card: TaskNetwork
    classes: Mapping[str, int] = field(default_factory=dict)
    table: Path | None = None

    @property
    def channels(self) -> int:
        """Of the pictures that it reads."""
        return self.card.shape[0]

    @property
    def gives(self) -> Collection[str]:
        """What it says of pictures; one that tells pixels apart says of none what it is."""
        return (FEATURES, MAPS) if self.card.label_map else (FEATURES, LOGITS, MAPS)

    def network(self) -> OfTask:
        """On the machine's device. Raises Refusal where its weights are gone or damaged."""
        from cluster.task import load_network
        from trainers.compare import device
        from trainers.features import OfTask

        try:
            network: Any = load_network(self.card.part)
            return OfTask(network.to(device()))
        except DataError as error:
            raise Refusal(str(error), path=OPTION) from error

    def notes(self, side: int, asked: int) -> list[str]:
        """What the reader should know of its readings, a line each. asked: of how many pictures the classes were looked for."""
        notes = notes_on(self.card, side)
        if self.channels == 1:
            notes.append("every picture was read as grey, as the task network reads it")
        if self.card.label_map:
            return [*notes, "the task network tells pixels apart: of pictures in folders it has its features alone"]
        if self.table is None:
            return [
                *notes,
                f"no {LABELS} tells the classes of the pictures, so nobody knows how many the task network reads right",
            ]
        missing = asked - len(self.classes)
        return [*notes, f"{missing:,} of {asked:,} pictures have no class in {self.table}"] if missing else notes


def find_judge(wanted: str, storage: str, folder: Path, pictures: Names) -> Judge:
    """The task network `wanted`, and the classes of `pictures`, which are those in `folder`. Raises Refusal."""
    card = look_up(wanted, storage, OPTION, "name its folder; `i2i-cluster task train` makes one")
    root = next((place for place in (folder, folder.parent) if (place / LABELS).is_file()), None)
    if root is None or card.label_map:
        return Judge(card)
    table = root / LABELS
    try:
        told = read_labels(root, [file for file in sorted(root.rglob("*")) if file.suffix.lower() in SUFFIXES])
    except DataError as error:
        raise Refusal(str(error), path=OPTION) from error
    named = {name: told[file].cls for name, file in pictures.items() if file in told}
    for name, cls in named.items():
        if cls is not None and cls not in card.classes:
            problem = f"{table} says that {name} is of class {cls}, which the task network does not know"
            raise Refusal(problem, path=OPTION, nearest=nearest(cls, card.classes), has=card.classes)
    return Judge(card, {name: card.classes.index(cls) for name, cls in named.items() if cls is not None}, table)
