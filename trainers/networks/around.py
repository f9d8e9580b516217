"""What stands around a generator where a picture, a code and a label alone are to be given: nothing here learns."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainers.networks.classifier import Classifier


class Beside(nn.Module):
    """pix2pix's noise, as constant maps beside the picture."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        made: Tensor = self.network(torch.cat([x, z[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1))
        return made


class Chain(nn.Module):
    """`last` of what `first` makes of the picture, with whatever else is given."""

    def __init__(self, first: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.first, self.last = first, last

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        made: Tensor = self.last(self.first(x), z)
        return made


class Asked(nn.Module):
    """A generator that is told a label, and is always asked for this one."""

    def __init__(self, network: nn.Module, label: Tensor) -> None:
        super().__init__()
        self.network = network
        self.label: Tensor
        self.register_buffer("label", label)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.network(x, self.label.expand(len(x), -1))
        return made


class Behind(nn.Module):
    """A network behind a function of the picture, or of what it makes one of."""

    def __init__(self, network: nn.Module, before: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.before = network, before

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.network(self.before(x))
        return made


class Features(nn.Module):
    """What DTN's fixed network says of a picture."""

    def __init__(self, f: Classifier) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        seen: Tensor = self.f.features(x)
        return seen


class Bounded(nn.Module):
    """BEGAN's generator, cut to [-1, 1]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.network(z).clamp(-1.0, 1.0)
        return made


class Side(nn.Module):
    """One of a pair of generators."""

    def __init__(self, pair: nn.Module, place: int) -> None:
        super().__init__()
        self.pair, self.place = pair, place

    def forward(self, z: Tensor) -> Tensor:
        made: Tensor = self.pair(z)[self.place]
        return made
