"""Textbook step time / engine step time with the settings that are fast on this machine, on one thread.

    python -m benchmarks.fast [--system cyclegan] [--rounds 8] [--block 2] [--json]

Above 1 the engine is the faster one. The textbook loop is as a careful researcher leaves it: fp32, fused Adam. Beside it stands the
same loop under bf16 autocast, which is what it could be. On a CPU that multiplies in bf16 the fast setting is `precision: bf16`;
on another there is none, and nothing is judged. The clock is CPU time, as in `benchmarks.step`, which also checks that both
sides compute the same.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.cases import Case, main_of, timed
from benchmarks.measure import Finding, Watch, interleave, ratio, wait_for_quiet
from benchmarks.step import TEXTBOOK
from cluster.processor import LACKS_BF16, bf16_units

TARGETS = {64: 1.2, 128: 1.0}  # image -> least ratio


def sides(case: Case, block: int) -> dict[str, Callable[[], float]]:
    """The loops to compare, each over `block` steps: CPU seconds. A step before them is not timed."""
    pixels, plain, coarse = case.pixels(), case.engine(), case.engine(precision="bf16")
    textbook = TEXTBOOK[case.system](case.build(), fused=True)
    other = TEXTBOOK[case.system](case.build(), fused=True)

    def under_autocast() -> None:
        # Its cache would keep bf16 copies of a critic's weights over the critic's move.
        with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
            other.step(pixels)

    return {
        "textbook": timed(lambda: textbook.step(pixels), block),
        "textbook, bf16 autocast": timed(under_autocast, block),
        "engine": timed(plain.step, block),
        "engine, bf16": timed(coarse.step, block),
    }


def measure(case: Case, rounds: int, block: int, wait: float) -> list[Finding]:
    """The findings of one system at each size; the first round warms up and is dropped."""
    torch.set_num_threads(1)
    findings = []
    for image, target in TARGETS.items():
        case = replace(case, image=image)
        wait_for_quiet(wait)
        watch = Watch()
        seconds = {name: found[1:] for name, found in interleave(sides(case, block), rounds + 1).items()}
        each = ", ".join(f"{name} {1000 * statistics.median(found) / block:.0f} ms" for name, found in seconds.items())
        note = f"CPU time of a step of batch {case.batch}: {each}; others kept {watch.others():.2f} cores busy"
        unfit, name = "" if bf16_units() else f"this processor has {LACKS_BF16}", f"fast {case.system}, {image} px"
        fast = seconds["engine, bf16"]
        findings += [
            ratio(name, seconds["textbook"], fast, target=target, at_least=True, note=note, unfit=unfit),
            ratio(f"{name}, to autocast", seconds["textbook, bf16 autocast"], fast, target=None, at_least=True),
            ratio(f"{name}, fp32", seconds["textbook"], seconds["engine"], target=None, at_least=True),
        ]
    return findings


if __name__ == "__main__":
    main_of(__doc__, measure, rounds=8, block=2)
