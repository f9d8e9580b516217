"""Learning rates as pure functions of the step: nothing to save, nothing that can drift on resume."""

from __future__ import annotations

from collections.abc import Callable


def constant_then_linear(steps: int, decay_from: float) -> Callable[[int], float]:
    """The factor on the rate: 1 until the share `decay_from` of the run, then linearly towards 0 at its end.

    `decay_from` 0.5 over the published length is CycleGAN's "100 + 100 epochs"; 1 keeps the rate constant.
    """
    start = round(decay_from * steps)

    def factor(t: int) -> float:
        if t < start:
            return 1.0
        return 1.0 - (t - start) / (steps - start + 1)

    return factor


def halved_every(steps: int) -> Callable[[int], float]:
    """The factor on the rate: 1 for so many steps, 1/2 for as many, 1/4, and so on."""
    return lambda t: 0.5 ** (t // steps)
