"""The task network that `evaluate --task` asks, and the classes that its readings are held against.

The classes are those of `labels.csv`, the table that `shards build folder` reads: in the folder of the inputs or the one that this
lies in; where no inputs are given, of the generated pictures.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from os.path import abspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_shards.build.labels import LABELS, read_labels
from data_shards.errors import DataError
from orchestrator.errors import Refusal, nearest
from orchestrator.evaluate.files import Names
from orchestrator.folders import look_below
from orchestrator.task.task import TaskNetwork, look_up, notes_on
from trainers.outputs import FEATURES, MAPS, PIXELS

if TYPE_CHECKING:
    from trainers.features import OfTask

OPTION = "--task"


@dataclass(frozen=True)
class Judge:
    """A task network that was found. classes: picture -> the number of its class, of those that are known; from `table`, if any.
    mapped: label maps tell the classes of pixels."""

    card: TaskNetwork
    classes: Mapping[str, int] = field(default_factory=dict)
    table: Path | None = None
    mapped: bool = False

    @property
    def channels(self) -> int:
        """Of the pictures that it reads."""
        return self.card.shape[0]

    @property
    def gives(self) -> Collection[str]:
        """What it says of pictures; one that tells pixels apart says of none what it is."""
        if not self.card.label_map:
            return (FEATURES, self.card.reading, MAPS)
        return (FEATURES, MAPS, PIXELS) if self.mapped else (FEATURES, MAPS)

    def network(self) -> OfTask:
        """On the machine's device. Raises Refusal where its weights are gone or damaged."""
        from cluster.task import load_network
        from trainers.compare import device
        from trainers.features import OfTask

        try:
            network: Any = load_network(self.card.part)
            pixel_classes = len(self.card.classes) if self.card.label_map else 0
            return OfTask(network.to(device()), degrees=self.card.degrees, pixel_classes=pixel_classes)
        except DataError as error:
            raise Refusal(str(error), path=OPTION) from error

    @property
    def _unknown(self) -> str:
        """What is not known where no picture has a class."""
        return "how far the task network is off" if self.card.degrees else "how many the task network reads right"

    def notes(self, side: int, read: Collection[str]) -> list[str]:
        """What the reader should know of its readings, a line each. read: the pictures whose classes it was held against."""
        notes = notes_on(self.card, side)
        if self.channels == 1:
            notes.append("every picture was read as grey, as the task network reads it")
        if self.mapped:
            return notes
        if self.card.label_map:
            return [*notes, "the task network tells pixels apart: --labels DIR holds what it reads against label maps"]
        if self.table is None:
            return [
                *notes,
                f"no {LABELS} tells the classes of the pictures, so nobody knows {self._unknown}",
            ]
        missing = sum(name not in self.classes for name in read)
        return [*notes, f"{missing:,} of {len(read):,} pictures have no class in {self.table}"] if missing else notes


def find_judge(wanted: str, storage: str, folder: Path, pictures: Names, mapped: bool) -> Judge:
    """The task network `wanted`, and the classes of `pictures`, which are those in `folder`; mapped: label maps tell those of their
    pixels. Raises Refusal."""
    card = look_up(wanted, storage, OPTION, "name its folder; `i2i-cluster task train` makes one")
    if mapped and not card.label_map:
        problem = (
            f"{wanted} tells no pixels apart; --labels is for what `i2i-cluster task train --kind segmenter` makes"
        )
        raise Refusal(problem, path="--labels")
    here, real = (
        Path(abspath(folder)),
        folder.resolve(),
    )  # of `.` and of a link the folder above is another than it seems
    above = {folder: folder, here.parent: here, real.parent: real}
    root = next((place for place in above if (place / LABELS).is_file()), None)
    if root is None or card.label_map:
        return Judge(card, mapped=mapped)
    table, beside = root / LABELS, {name: above[root] / file.relative_to(folder) for name, file in pictures.items()}
    try:
        told = read_labels(root, sorted({*look_below(root).pictures, *beside.values()}))
    except DataError as error:
        raise Refusal(str(error), path=OPTION) from error
    except OSError as error:
        problem = f"{table} cannot be read: {(error.strerror or str(error)).lower()}; allow it, or take it away"
        raise Refusal(problem, path=OPTION) from error
    named = {name: told[file].cls for name, file in beside.items() if file in told}
    for name, cls in named.items():
        if cls is not None and cls not in card.classes:
            problem = f"{table} says that {name} is of class {cls}, which the task network does not know"
            raise Refusal(problem, path=OPTION, nearest=nearest(cls, card.classes), has=card.classes)
    return Judge(card, {name: card.classes.index(cls) for name, cls in named.items() if cls is not None}, table)
