"""What DiscoGAN and DistanceGAN on its networks share: who moves when, how much the reconstruction counts, feature matching.

All of it is a function of the step, so that nothing of it can be lost between two legs of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from trainers.adversarial import Criterion
from trainers.networks.disco import DiscoCritic
from trainers.settings import setting
from trainers.system import Observation, Weighed

Terms = dict[str, Callable[[], Observation]]

UPDATE_INTERVAL = 3  # one step of the critics, two of the generators


def critics_turn(t: int) -> bool:
    """Whether step `t` is the critics'; all others are the generators'."""
    return t % UPDATE_INTERVAL == 0


@dataclass(frozen=True)
class Curriculum:
    """The share r of the terms that are not adversarial: small at first, so that the translations become real at all."""

    starting_rate: float = setting(
        0.01,
        "share r of the terms that are not adversarial, in the first warm_steps steps; in DiscoGAN's architecture alone",
        minimum=0.0,
        maximum=1.0,
    )
    default_rate: float = setting(
        0.5, "share r of those terms from then on; in DiscoGAN's architecture alone", minimum=0.0, maximum=1.0
    )
    warm_steps: int = setting(
        10_000,
        "steps with starting_rate; in steps, whatever the length of the run; in DiscoGAN's architecture alone",
        minimum=0,
    )

    def share(self, t: int) -> float:
        """r at step `t`."""
        return self.starting_rate if t < self.warm_steps else self.default_rate


def mix(adversarial: Weighed, rest: Weighed, share: float) -> Weighed:
    """(1 - share) x adversarial + share x rest as one weighted sum. What was observed of each term stays unscaled."""
    parts = [
        factor * weighed.loss
        for factor, weighed in ((1.0 - share, adversarial), (share, rest))
        if weighed.loss is not None
    ]
    return Weighed(
        loss=parts[0] + parts[1] if len(parts) == 2 else next(iter(parts), None),
        raw=adversarial.raw | rest.raw,
        accuracy=adversarial.accuracy | rest.accuracy,
        drift=adversarial.drift | rest.drift,
        outputs=adversarial.outputs | rest.outputs,
        silent=adversarial.silent | rest.silent,
        numbers=adversarial.numbers,
    )


def watching(weighed: Weighed, others: Terms) -> Weighed:
    """`weighed`, and the terms of the side whose step it is not: they move nobody, and are looked at on report steps.

    Without them a report would lack the terms of one side, and which one would hang on its interval.
    """
    weighed.silent.update(others)
    return weighed


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Sum over maps of the mean squared difference of the batch means (Salimans et al. 2016): a scalar.

    real, fake: maps `[N,C,h,w]`, as many of each. The batch is a replica's own: means are taken before squaring, so
    more replicas of fewer samples give another loss, and more workers the same.
    """
    parts = [(r.float().mean(0) - f.float().mean(0)).square().mean() for r, f in zip(real, fake, strict=True)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def game(gan: Criterion, critic: DiscoCritic, real: Tensor, fake: Tensor, way: str) -> Terms:
    """The terms `adv_<way>` and `fm_<way>`: what a critic says of generated pictures, and its features, matched with real ones.

    real, fake: `[N,C,H,W]`. The critic looks at the generated ones once for both, and not before one of them is asked for.
    """

    @cache
    def seen() -> tuple[Tensor, list[Tensor]]:
        return critic.features(fake)

    def matched() -> Tensor:
        _, made = seen()
        with torch.no_grad():
            _, wanted = critic.features(real)
        return feature_matching(wanted, made)

    return {f"adv_{way}": lambda: gan.generator(seen()[0]), f"fm_{way}": matched}
