"""What a step of the engine takes that is not arithmetic: milliseconds more than the textbook's, and operations.

    python -m benchmarks.overhead [--system cyclegan] [--rounds 20] [--block 50] [--json]

With networks of next to nothing and small pictures a step is launches, bookkeeping and Python, on both sides. What the engine takes
more is the same in any step of that method, so it stands beside a step of the usual size, too. Operations are those that
torch dispatches, views among them. CPU time of one thread.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.cases import Case, main_of, timed
from benchmarks.measure import Finding, interleave, quartiles, wait_for_quiet
from benchmarks.step import TEXTBOOK
from tests.trainers.variants import TINY

IMAGE, BATCH = 32, 4  # pixels a side and samples: about the least that all of them take
WARM_UP = 3  # steps
USUAL_STEPS = 3  # of the usual size, timed in each of as many rounds


def sides(case: Case) -> dict[str, Callable[[], object]]:
    """A step of each."""
    engine, pixels = case.engine(), case.pixels()
    textbook = TEXTBOOK[case.system](case.build(), fused=True)
    return {"textbook": lambda: textbook.step(pixels), "engine": engine.step}


def operations(step: Callable[[], object]) -> int:
    """How many of torch's own a step calls."""
    for _ in range(WARM_UP):
        step()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        step()
    return sum(event.count for event in seen.key_averages() if event.key.startswith("aten::"))


def measure(case: Case, rounds: int, block: int, wait: float) -> list[Finding]:
    """The findings of one system; the first round warms up and is dropped."""
    torch.set_num_threads(1)
    small = replace(case, hyper={**case.hyper, **TINY[case.system]}, image=IMAGE, batch=BATCH)
    wait_for_quiet(wait)
    found = interleave({name: timed(step, block) for name, step in sides(small).items()}, rounds + 1)
    step = {name: [1000 * seconds / block for seconds in each[1:]] for name, each in found.items()}
    more = [engine - textbook for engine, textbook in zip(step["engine"], step["textbook"], strict=True)]
    usual = 1000 * statistics.median(
        interleave({"engine": timed(case.engine().step, USUAL_STEPS)}, USUAL_STEPS)["engine"]
    )
    value, (low, high) = statistics.median(more), quartiles(more)
    note = "a step of next to nothing: " + ", ".join(
        f"{name} {statistics.median(s):.2f} ms" for name, s in step.items()
    )
    counts = {name: operations(step) for name, step in sides(case).items()}
    many = counts["engine"] / counts["textbook"]
    note += f"; operations: {counts['engine']} and {counts['textbook']}; a step of {case.name}: {usual / USUAL_STEPS:.0f} ms"
    name, share = f"overhead {case.system}", USUAL_STEPS / usual
    return [
        Finding(f"{name}: ms a step", value, low, high, rounds, None, False, unit="ms", note=note),
        Finding(f"{name}: share of a usual step", value * share, low * share, high * share, rounds, None, False),
        Finding(f"{name}: operations, engine / textbook", many, many, many, 1, None, False),
    ]


if __name__ == "__main__":
    main_of(__doc__, measure, rounds=20, block=50)
