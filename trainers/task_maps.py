"""The maps of the sweep's task network, for losses that compare pictures layer by layer.

Papers take those of VGG, which was trained on ImageNet. Here it is a network that knows what the data themselves show: their
classes, what each of their pixels is, or how far they are turned. A loss of maps asks for none of it, so every kind will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trainers.networks.classifier import Classifier, Regressor, Segmenter
from trainers.settings import setting

TaskNetwork = Classifier | Segmenter | Regressor
# The systems that train one, by name -> how its network is built: of channels, classes and width.
KINDS: Mapping[str, Callable[[int, int, int], TaskNetwork]] = {
    "classifier": Classifier,
    "segmenter": Segmenter,
    "regressor": lambda channels, classes, width: Regressor(channels, width),
}
TASK_WIDTH = 32  # of a task network that nobody trained


@dataclass(frozen=True)
class TaskMaps:
    """What a system must know of the task network whose maps it compares; the plan fills it in."""

    task_kind: str | None = setting(
        None,
        "what `task` reads: classes of pictures or of pixels, or angles; empty: as it is",
        choices=tuple(KINDS),
        fixed=True,
    )
    task_width: int | None = setting(
        None, "channels of the task network's first layer; empty: as `task` has", minimum=1, maximum=4096, fixed=True
    )
    task_classes: int | None = setting(
        None, "number of classes that `task` knows; empty: as it has", minimum=2, fixed=True
    )

    def build_task(self, channels: int) -> TaskNetwork:
        """The network, for pictures of so many channels, to be put into `frozen`."""
        assert self.task_classes is not None, "the plan fills the number of classes in"
        kind = KINDS[self.task_kind or "classifier"]
        return kind(channels, self.task_classes, self.task_width or TASK_WIDTH).requires_grad_(False)
