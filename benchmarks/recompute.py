"""What `recompute: true` gives and takes: peak memory and step time with it / without it, at 64 and at 128 px.

    python -m benchmarks.recompute [--system cyclegan] [--rounds 5] [--block 1] [--json]

Memory is what torch allocates at most in two steps, each side in a process that has done nothing else; it is the same in every run.
Time is CPU time of a step on one thread. The target is of CycleGAN at 128 px, which keeps the passes of six generators.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.cases import CASES, Case, main_of, timed
from benchmarks.fresh import fresh
from benchmarks.measure import Finding, Watch, interleave, ratio, wait_for_quiet
from benchmarks.peak import most_alive
from trainers.engine import Engine

TARGETS = {("cyclegan", 128): 0.5}  # the most memory that the rest may be
IMAGES = (64, 128)
SIDES = (True, False)


def engine(system: str, image: int, recomputed: bool) -> Engine:
    """One side."""
    return replace(CASES[system], image=image).engine(recomputed=recomputed)


def allocated(system: str, image: int, recomputed: bool) -> float:
    """MB of tensors that were alive at once at most. For a process of its own."""

    def steps() -> None:
        of = engine(system, image, recomputed)
        for _ in range(2):
            of.step()

    return most_alive(steps)


def measure(case: Case, rounds: int, block: int, wait: float) -> list[Finding]:
    """The findings of one system at each size; the first round of the time warms up and is dropped."""
    torch.set_num_threads(1)
    findings = []
    for image in IMAGES:
        most = {side: fresh(allocated, case.system, image, side) for side in SIDES}
        wait_for_quiet(wait)
        watch = Watch()
        sides: dict[str, Callable[[], float]] = {
            str(s): timed(engine(case.system, image, s).step, block) for s in SIDES
        }
        found = {name: each[1:] for name, each in interleave(sides, rounds + 1).items()}
        again, kept = found["True"], found["False"]
        name, target = f"recompute {case.system}, {image} px", TARGETS.get((case.system, image))
        note = f"{most[True]:.0f} MB of {most[False]:.0f}, batch {case.batch}"
        spent = (
            f"{1000 * statistics.median(again) / block:.0f} ms instead of {1000 * statistics.median(kept) / block:.0f}"
        )
        findings += [
            ratio(f"{name}, memory", [most[True]], [most[False]], target=target, at_least=False, note=note),
            ratio(
                f"{name}, time",
                again,
                kept,
                target=None,
                at_least=False,
                note=f"{spent}; others kept {watch.others():.2f} cores busy",
            ),
        ]
    return findings


if __name__ == "__main__":
    main_of(__doc__, measure, rounds=5, block=1)
