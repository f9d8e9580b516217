"""How fast a run's critics learn beside its generators, as a number: told before anything is built."""

from __future__ import annotations

import torch

from cluster.building import build_system
from cluster.run import Run
from trainers.system import Shapes


def published_lr_ratio(run: Run, shapes: Shapes) -> float | None:
    """The critics' learning rate over the generators', as the run's system sets them; None where they have no single ones.

    `balance.lr_ratio` is left out of account.
    """
    with torch.device("meta"):  # the players, without the memory of their weights
        players = build_system(run, shapes).players
    critics = {player.optimizer.lr for player in players if player.critic}
    others = {player.optimizer.lr for player in players if not player.critic}
    return critics.pop() / others.pop() if len(critics) == len(others) == 1 else None
