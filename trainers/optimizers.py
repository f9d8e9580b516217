"""The optimizers that players follow their gradients with: their settings, and how torch's own are built from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import nn


class Optimizer(Protocol):
    """The settings of an optimizer. `lr`: the learning rate at the start of the run; `masks`: see Adam and RMSProp."""

    @property
    def lr(self) -> float:
        """The learning rate at the start of the run."""
        ...

    @property
    def masks(self) -> bool:
        """Whether it can leave out an update on the device by itself (torch's `found_inf`)."""
        ...

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer over `parameters`."""
        ...


@dataclass(frozen=True)
class Adam:
    """Adam's settings: `lr` at the start of the run, the moments' decay, an L2 penalty on the weights."""

    lr: float
    beta1: float
    beta2: float
    weight_decay: float = 0.0
    masks: ClassVar[bool] = True

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer over `parameters`. Fused is a part of the definition: other implementations give other bits."""
        betas, decay = (self.beta1, self.beta2), self.weight_decay
        return torch.optim.Adam(parameters, lr=self.lr, betas=betas, weight_decay=decay, fused=True)


@dataclass(frozen=True)
class RMSProp:
    """RMSProp's settings, without momentum: `lr` at the start of the run, `decay` of the squared gradient."""

    lr: float
    decay: float
    masks: ClassVar[bool] = False

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer over `parameters`; not `foreach`, whose sums could be ordered otherwise on another device."""
        return torch.optim.RMSprop(parameters, lr=self.lr, alpha=self.decay, foreach=False)


@dataclass(frozen=True)
class SGD:
    """Plain gradient descent without momentum: `lr` at the start of the run, an L2 penalty on the weights."""

    lr: float
    weight_decay: float = 0.0
    masks: ClassVar[bool] = False

    def build(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer over `parameters`; not `foreach`, as RMSProp's."""
        return torch.optim.SGD(parameters, lr=self.lr, weight_decay=self.weight_decay, foreach=False)
