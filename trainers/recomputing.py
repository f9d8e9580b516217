"""Networks whose passes are computed again on the way back, instead of being kept: less memory, more time, the same bits.

What is given up is what a pass of a player's network makes inside it. A move has several passes (six of generators in CycleGAN's),
and otherwise keeps all of them until its losses are known; so only one of them is there at a time. Random numbers within a pass
are drawn again as they were (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost").
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute_networks(networks: Iterable[nn.Module]) -> None:
    """Have the passes of networks kept as what went in, wherever a gradient may be asked for."""
    for network in networks:
        network.forward = _recomputed(network.forward)


def _recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
    def passed(*given: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*given, **named)
        return checkpoint(functools.partial(forward, **named), *given, use_reentrant=False)

    return passed
