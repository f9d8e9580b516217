"""Population based training: Jaderberg et al., "Population Based Training of Neural Networks", 2017, arXiv:1711.09846.

All trials run at once. At each interval all wait for all; then each of the worst goes on from the checkpoint of one of the
best, with its values perturbed (exploit, then explore; appendix A.1: truncation selection, factors 1.2 and 0.8, resampling).
Rounds instead of the paper's loose pace: what is decided depends on the values and the seed alone, and can be done again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from cluster.job import Explore
from cluster.log.records import TrialState
from cluster.schedulers.decisions import CLONE, CONTINUE, Decision, InRounds


class Population(InRounds):
    """`quantile` of the population, at least one, is replaced every `every` steps. `explore` perturbs a donor's values."""

    name = "pbt"

    def __init__(
        self, every: int, quantile: float, explore: Explore, seed: int, trials: int, steps: int, mode: str
    ) -> None:
        super().__init__(tuple(range(every, steps, every)), mode)
        self._quantile, self._explore, self._seed, self._trials = quantile, explore, seed, trials

    def settle(self, trials: Mapping[int, TrialState]) -> list[Decision]:
        """Exploit and explore, once all that are left wait at one step."""
        still = [trial for trial in trials.values() if trial.is_live]
        steps = {trial.waits_at for trial in still}
        if len(trials) < self._trials or len(steps) != 1 or (step := steps.pop()) is None:
            return []
        ranked = self.ranked(still, step)
        count = min(max(1, round(self._quantile * len(ranked))), len(ranked) // 2)
        best, number = ranked[:count], self.pauses.index(step)
        # The preset goes its own way, however bad: there must be something to compare with.
        worst = {trial.index for trial in [t for t in ranked[count:] if t.setting][-count:]}
        clones = [self._clone(trial, best, number, step) for trial in still if trial.index in worst]
        return [*clones, *(Decision(t.index, step, CONTINUE) for t in still if t.index not in worst)]

    def _clone(self, trial: TrialState, best: list[TrialState], number: int, step: int) -> Decision:
        digest = hashlib.blake2b(f"{self._seed}/{number}/{trial.index}".encode(), person=b"i2i-donor").digest()
        donor = best[int.from_bytes(digest[:8], "big") % len(best)]
        params = self._explore(donor.params, number, trial.index)
        text = f"goes on from trial {donor.index} at step {step}"
        return Decision(trial.index, step, CLONE, text, donor.index, params)
