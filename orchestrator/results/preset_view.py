"""What the preset, trial 0, has on the searched axes, for people: also what it leaves to its system, which its values lack."""

from __future__ import annotations

from typing import Any

from cluster.rates import published_lr_ratio
from orchestrator.planning.plan import Plan
from orchestrator.planning.settings import Setting
from orchestrator.search.conditions import in_force
from orchestrator.search.space import settings_of

AS_PUBLISHED = "as published"  # where the terms of a group differ in the preset
LR_RATIO = "balance.lr_ratio"


def left_to_the_system(plan: Plan) -> dict[str, Setting]:
    """Setting -> what the system makes of it, of those on searched axes that the preset leaves empty."""
    if LR_RATIO not in plan.searched or plan.preset.value(plan.system, LR_RATIO) is not None:
        return {}
    ratio = published_lr_ratio(plan.run(0, plan.params(0)), plan.data.shapes(plan.sweep.data.image))
    return {} if ratio is None else {LR_RATIO: ratio}


def preset_row(plan: Plan) -> dict[str, Any]:
    """Searched setting -> what trial 0 has; what is not in force there is left out."""
    known = {**plan.params(0), **left_to_the_system(plan)}
    axes = in_force(plan.axes, {name: plan.preset.value(plan.system, name) for name in plan.searched})
    return {name: known.get(name, AS_PUBLISHED) for key, axis in axes.items() for name in settings_of(key, axis)}
