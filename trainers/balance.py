"""The balance between critics and generators: how many turns a critic has in a step, and whether it rests.

A pure function of the step and of a running accuracy that every worker holds alike, so it is exact and nothing of it needs
to be saved but that accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from trainers.settings import Balance
from trainers.system import Player

ACCURACY_STEP = 0.05  # for each of these that a critic's accuracy is below the target, it has one more turn


def turns_of(
    balance: Balance, players: Sequence[Player], accuracy: Tensor, t: int
) -> tuple[dict[str, int], frozenset[str]]:
    """Turns of each player in step `t`, and the critics that sit it out.

    accuracy: `[critics]`, their running accuracy as it was one step ago, so that nobody waits for the last one.
    """
    again = balance.warmup_every > 0 and t % balance.warmup_every == 0
    warming = balance.warmup_turns > 0 and (t < balance.warmup_steps or again)
    base = balance.warmup_turns if warming else balance.critic_turns
    turns = dict.fromkeys((player.name for player in players), base)
    target = balance.target_accuracy
    if target is None:
        return turns, frozenset()
    critics = [player.name for player in players if player.critic]
    known = dict(zip(critics, accuracy.tolist(), strict=True))
    for name, seen in known.items():
        more = max(0, int((target - seen) / ACCURACY_STEP + 1e-6))
        turns[name] = max(base, min(base + more, balance.most_turns))
    return turns, frozenset(name for name, seen in known.items() if seen > target)


def base_rates(players: Sequence[Player], balance: Balance) -> dict[str, float]:
    """Learning rates at the start: the generators keep the preset's, the critics follow `balance.lr_ratio`."""
    rates = {player.name: player.optimizer.lr for player in players}
    if balance.lr_ratio is not None:
        generator = next(player for player in players if not player.critic)
        rates |= {p.name: generator.optimizer.lr * balance.lr_ratio for p in players if p.critic}
    return rates
