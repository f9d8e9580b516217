"""What the first steps of every system came to, kept: a change of the arithmetic that nobody meant is seen.

`python -m tests.trainers.golden --write` keeps what they come to now. Only a change that is meant to change them may do that.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from tests.trainers import worlds
from trainers.engine import Engine
from trainers.system import Player
from trainers.systems.catalog import SYSTEMS

FILE = Path(__file__).with_name("golden.json")
STEPS = 5
DIGITS = 7  # of a value that is kept
WAY_OF = "way of "
# What may differ, relative and absolute. Another processor adds in another order. Adam's first moves follow the sign of a
# gradient alone, and where that is all but 0 the order decides it: from the third step on a loss may have another third
# digit. Seen among the instruction sets of one processor: 6e-6, 2.3e-3 and, of a way, 4e-3.
SHARP, BLUNT, WAY = (1e-4, 1e-5), (1e-2, 1e-4), (2e-2, 0.0)
SHARP_STEPS = 2

Values = Mapping[str, list[float | None]]


def names() -> list[str]:
    """Every row of `worlds.VARIANTS`, the systems' own defaults among them, and every preset as `system preset`.

    Not those in bf16, which has 8 bits: processors round its sums at other places.
    """
    fine = [name for name, (_, _, options) in worlds.VARIANTS.items() if options.get("precision") != "bf16"]
    return [*fine, *(f"{system} {preset}" for system, kind in SYSTEMS.items() for preset in kind.presets)]


def engine(name: str) -> Engine:
    """Its engine at step 0, with tiny networks."""
    system, _, preset = name.partition(" ")
    return worlds.engine_of_preset(system, preset) if preset else worlds.variant(name)


def values_of(of: Engine) -> Values:
    """Term -> its mean over the replicas in each of the first steps; None where it was not observed, or is not finite.

    `way of PLAYER`: how far its weights are from where they began, which tells of the optimizer what losses do not.
    """
    start = {player.name: [p.detach().clone() for p in player.parameters] for player in of.system.players}
    found: dict[str, list[float | None]] = {term: [] for term in of.system.weights}
    found |= {f"{WAY_OF}{player}": [] for player in start}
    for _ in range(STEPS):
        of.step(report=True)
        seen = of.ledger.means() | {f"{WAY_OF}{p.name}": _way(p, start[p.name]) for p in of.system.players}
        for name, values in found.items():
            values.append(float(f"{seen[name]:.{DIGITS}g}") if math.isfinite(seen[name]) else None)
    return found


def _way(player: Player, start: Sequence[Tensor]) -> float:
    squares = [(p.detach() - q).double().square().sum() for p, q in zip(player.parameters, start, strict=True)]
    return math.sqrt(sum(square.item() for square in squares))


def differences(before: Values, now: Values) -> Iterator[str]:
    """A line for each value that is another, and for each term that one side alone has."""
    for term in dict.fromkeys((*before, *now)):
        if term not in now or term not in before:
            yield f"{term}: only {'before' if term in before else 'now'}"
            continue
        for step, (old, new) in enumerate(zip(before[term], now[term], strict=True)):
            if not _is_close(old, new, *_tolerance(term, step)):
                yield f"{term}, step {step}: {old} before, {new} now"


def _tolerance(name: str, step: int) -> tuple[float, float]:
    if name.startswith(WAY_OF):
        return WAY
    return SHARP if step < SHARP_STEPS else BLUNT


def _is_close(old: float | None, new: float | None, relative: float, absolute: float) -> bool:
    if old is None or new is None:
        return old is new
    return abs(old - new) <= absolute + relative * abs(old)


def kept() -> dict[str, Values]:
    """Name -> what was kept of it."""
    found: dict[str, Values] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return found


def write() -> None:
    """Keep what the steps come to now: a line for each term."""
    parts = []
    for name in names():
        values = values_of(engine(name)).items()
        lines = ",\n".join(f"  {json.dumps(term)}: {json.dumps(means)}" for term, means in values)
        parts.append(f" {json.dumps(name)}: {{\n{lines}\n }}")
    FILE.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.trainers.golden", description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help=f"write {FILE.name}")
    parser.parse_args()
    torch.set_num_threads(1)
    write()
