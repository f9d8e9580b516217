"""What a system of pairs is told of a picture of b: the picture of a beside it, or its label map, a plane for each class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.errors import SettingError
from trainers.label_maps import MOST_CLASSES, classes_of, levels_of
from trainers.settings import Reads, setting
from trainers.system import Replica, Shapes

PICTURE, LABEL_MAP = "picture", "label_map"
LABELS = "labels"  # what the builders call the domain of label maps


@dataclass(frozen=True)
class Layouts:
    """Which of the two it is."""

    input: str = setting(
        PICTURE, "what is translated: pictures of a, or the label maps of b", choices=(PICTURE, LABEL_MAP), fixed=True
    )
    label_map: str = setting(
        LABELS, "the domain of label maps, where they are the input: a grey level for each class", fixed=True
    )
    classes: int | None = setting(
        None, "number of classes of pixels; empty: as many as the label maps have", minimum=1, fixed=True
    )

    def reads(self, pairs: Reads) -> Reads:
        """`pairs` of a and b as they are, or pictures of b and their label maps."""
        if self.input == LABEL_MAP:
            return Reads(("b", self.label_map), paired=True, label_map=self.label_map)
        return pairs

    def told_channels(self, shapes: Shapes) -> int:
        """The channels of what `told` gives."""
        if self.input == PICTURE:
            return shapes["a"][0]
        assert self.classes is not None, "the plan fills the number of classes in"
        return self.classes

    def check_layouts(self) -> None:
        """Raise SettingError where there are label maps, and as many classes cannot be."""
        if self.input == LABEL_MAP and self.classes is not None and not 2 <= self.classes <= MOST_CLASSES:
            told = "a map of one class tells nothing" if self.classes < 2 else "a grey level stands for one class"
            near = min(max(self.classes, 2), MOST_CLASSES)
            raise SettingError("hyper.classes", self.classes, f"{told}; nearest: {near}")

    def told(self, picture: Tensor) -> Tensor:
        """What the networks are given of an input `[N,C,H,W]` in [-1, 1]: itself, or of a label map a plane for each class."""
        if self.input == PICTURE:
            return picture
        assert self.classes is not None
        classes = classes_of(levels_of(picture), self.classes)
        return F.one_hot(classes, self.classes).permute(0, 3, 1, 2).float()

    def regions(self, told: Tensor) -> Tensor:
        """Where each class is, of what `told` gave: `[N,classes,H,W]`; of pictures everything is one, `[N,1,H,W]`."""
        return told if self.input == LABEL_MAP else torch.ones_like(told[:, :1])

    def draw(self, replica: Replica) -> tuple[Tensor, Tensor]:
        """Inputs as the networks see them and their truths, `[N,C,H,W]` each."""
        one, other = replica.draw_pair()
        a, b = (one, other) if self.input == PICTURE else (other, one)
        return self.told(a), b
