"""Textbook step time / engine step time, for the same networks, weights, batch and optimizer, on one thread.

    python -m benchmarks.step [--system cyclegan] [--rounds 20] [--block 2] [--json]
                              [--image 128] [--batch 8] [--precision bf16] [--layout channels_last]

Below 1 the engine is the slower one. The clock is the process's CPU time, since one thread that never waits is compared:
others on the machine then show only through the shared caches. The ratio by the wall clock stands beside it. Before
anything is timed, both sides train a few steps and their losses must agree: a loop that computes something else is no
yardstick. Judged against fused Adam, which the engine uses too; torch's default Adam, and the engine under deterministic
algorithms (`exact: true`, as runs have it), are shown. The textbook stays in fp32 and contiguous, whatever the engine is told.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from benchmarks.cases import SEED, Case, main_of
from benchmarks.measure import Finding, Watch, interleave, ratio, wait_for_quiet
from benchmarks.textbook import Textbook, TextbookCycleGAN, TextbookPix2Pix
from benchmarks.textbook_bicycle import TextbookBicycleGAN
from benchmarks.textbook_distance import TextbookDistanceGAN
from benchmarks.textbook_ost import TextbookOST
from benchmarks.textbook_unit import TextbookMUNIT, TextbookUNIT
from trainers import randomness
from trainers.engine import STAGE

TEXTBOOK: dict[str, type[Textbook]] = {
    "cyclegan": TextbookCycleGAN,
    "pix2pix": TextbookPix2Pix,
    "bicyclegan": TextbookBicycleGAN,
    "distancegan": TextbookDistanceGAN,
    "unit": TextbookUNIT,
    "munit": TextbookMUNIT,
    "ost": TextbookOST,
}

TARGET = 0.98
AGREEING_STEPS = 3
TOLERANCE = 0.01  # of a loss after those steps: rounding differs, and Adam's first steps magnify it


def check_agreement(case: Case) -> None:
    """Raise RuntimeError unless both sides' losses agree.

    The textbook's dice (dropout, latent vectors) are seeded as the engine seeds those of a step's first segment, in which
    both sides throw all of theirs, in the same order; those of UNIT, MUNIT and OST once more for the second.
    """
    engine, pixels = replace(case, arithmetic={}).engine(), case.pixels()
    textbook = TEXTBOOK[case.system](case.build(), fused=True)
    for t in range(AGREEING_STEPS):
        seed = partial(randomness.seed_generators, engine.device, SEED, STAGE, t, 0)
        if isinstance(textbook, TextbookUNIT | TextbookMUNIT):
            textbook.players.between = partial(seed, 1)
        elif isinstance(textbook, TextbookOST):
            textbook.between = partial(seed, 1)
        engine.step()
        seed(0)
        losses = textbook.step(pixels)
    means = engine.ledger.means()
    for term, loss in losses.items():
        if abs(means[term] - loss.item()) > TOLERANCE * abs(loss.item()):
            raise RuntimeError(f"{case.system}: {term} is {means[term]} by the engine, {loss.item()} by the textbook")


def sides(case: Case, block: int) -> dict[str, Callable[[], tuple[float, float]]]:
    """The loops to compare, each over `block` steps: (CPU seconds, wall seconds).

    A step before them is not timed: it finds caches and allocator as another loop left them, or, where the order turned
    round, as the same loop did, and that would favour the first and the last of the loops.
    """
    engine, exact, pixels = case.engine(), case.engine(), case.pixels()
    fused = TEXTBOOK[case.system](case.build(), fused=True)
    plain = TEXTBOOK[case.system](case.build(), fused=False)

    def timed(step: Callable[[], object], deterministic: bool = False) -> Callable[[], tuple[float, float]]:
        def run() -> tuple[float, float]:
            torch.use_deterministic_algorithms(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # as runs have it
            step()
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(block):
                step()
            return time.process_time() - cpu, time.perf_counter() - wall

        return run

    return {
        "textbook": timed(lambda: fused.step(pixels)),
        "engine": timed(engine.step),
        "textbook, default Adam": timed(lambda: plain.step(pixels)),
        "engine, exact": timed(exact.step, deterministic=True),
    }


def measure(case: Case, rounds: int, block: int, wait: float) -> list[Finding]:
    """The findings of one system; the first round warms up and is dropped."""
    torch.set_num_threads(1)
    check_agreement(case)
    wait_for_quiet(wait)
    watch = Watch()
    pairs = {name: found[1:] for name, found in interleave(sides(case, block), rounds + 1).items()}
    torch.use_deterministic_algorithms(False)
    cpu = {name: [pair[0] for pair in found] for name, found in pairs.items()}
    wall = {name: [pair[1] for pair in found] for name, found in pairs.items()}
    each = ", ".join(f"{name} {1000 * statistics.median(found) / block:.1f} ms" for name, found in cpu.items())
    note = f"CPU time of a step: {each}; others kept {watch.others():.2f} cores busy"
    name = f"step {case.name}"
    return [
        ratio(name, cpu["textbook"], cpu["engine"], target=TARGET, at_least=True, note=note),
        ratio(f"{name}, wall", wall["textbook"], wall["engine"], target=None, at_least=True),
        ratio(f"{name}, exact", cpu["textbook"], cpu["engine, exact"], target=None, at_least=True),
        ratio(f"{name}, default Adam", cpu["textbook, default Adam"], cpu["engine"], target=None, at_least=True),
    ]


if __name__ == "__main__":
    main_of(__doc__, measure, rounds=20, block=2, varied=True)
