"""Whether searching pays: Optuna with ASHA, and with halving, against random search and the paper's preset, at equal steps.

    python -m benchmarks.search [--system pix2pix] [--seeds 3] [--storage build/search] [--plot docs/search-course.png] [--json]

OpenMoji at 32 pixels, narrow networks, trainings of 300 steps, judged by SSIM against the true picture, which CycleGAN never
sees. Random search trains 12 settings to their end; the others may begin 24, as they end most of them early. All start at the
same preset, which counts for none. Then the best setting of each sweep and the preset are trained with three fresh seeds.

The sweeps are files that anybody could submit, kept in --storage: a run that was interrupted is started again with the same
command and goes on. Steps are exact on any machine, so nothing here needs a quiet one; two trials at a time do decide in which
order reports come, and with it what ASHA and Optuna do.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from scipy.stats import t as student

from benchmarks.measure import Finding, conditions, parser, show
from cluster.layout import SweepPaths
from cluster.log.records import SweepState, read_records
from cluster.log.store import read_log
from data_shards.store import FolderStore

STEPS, METRIC = 300, "eval/ssim"
RANDOM, ASHA, HALVING = "random", "asha", "halving"
SHARDS, RUNS = "shards", "runs"  # folders of --storage
ARMS: Mapping[str, Mapping[str, Any]] = {
    RANDOM: {"searcher": "random", "trials": 1 + 12},
    ASHA: {"searcher": "optuna", "trials": 1 + 24, "scheduler": {"asha": {"grace": 1 / 6, "reduction": 3}}},
    HALVING: {"searcher": "optuna", "trials": 1 + 24, "scheduler": {"halving": {"grace": 1 / 6, "reduction": 3}}},
}
RATES = {"hyper.lr": {"log_uniform": [2e-5, 5e-3]}, "balance.lr_ratio": {"log_uniform": [0.1, 10]}}
SYSTEMS: Mapping[str, Mapping[str, Any]] = {
    "pix2pix": {
        "data": {"batch": 8},
        "hyper": {"width": 16, "critic_width": 16},
        "search": {"weights.l1": {"log_uniform": [1, 1000]}, **RATES},
    },
    "cyclegan": {
        "data": {"batch": 4},
        "hyper": {"width": 16, "blocks": 3, "critic": "patch16", "critic_width": 16},
        "search": {"weights.cyc": {"log_uniform": [1, 100]}, "weights.idt": {"log_uniform": [0.05, 5]}, **RATES},
    },
}
TARGET = 0.5  # of the steps that random search needs


def sweep_file(system: str, arm: str, seed: int, folder: Path) -> dict[str, Any]:
    """One sweep, as a user would write it."""
    asked = SYSTEMS[system]
    return {
        "name": f"{system}-{arm}-{seed}",
        "system": system,
        "data": {"uri": str(folder / SHARDS), "image": 32, **asked["data"]},
        "steps": STEPS,
        "seed": seed,
        "hyper": asked["hyper"],
        "search": asked["search"],
        **ARMS[arm],
        "objective": {"metric": METRIC},
        "finalists": {"settings": 1, "seeds": 3},
        "every": {"report": 50, "evaluate": 50, "checkpoint": STEPS},
        "storage": str(folder / RUNS),
    }


@dataclass(frozen=True)
class Course:
    """What came of a sweep: (steps trained in all, best score so far) whenever a training ended that was the best, in order.

    steps: of the whole search. gain: of the setting it named over the preset, both by the mean of fresh seeds.
    """

    best: Sequence[tuple[int, float]]
    steps: int
    gain: float

    def at(self, steps: int) -> float:
        """The best score after so many steps; -inf before the first."""
        return max((score for when, score in self.best if when <= steps), default=-math.inf)

    def steps_to(self, score: float) -> float:
        """Steps until that score was reached; infinite where it never was."""
        return next((when for when, found in self.best if found >= score), math.inf)


def course_of(raw: bytes) -> Course:
    """Read it off a sweep's log. The preset counts neither as found nor as trained: no search had to look for it."""
    state, best = SweepState(), list[tuple[int, float]]()
    for record in read_records(raw):
        state.apply(record)
        if record["kind"] == "reported" and record["step"] == STEPS:
            trial = state.trials[record["trial"]]
            score = trial.metrics[METRIC]
            if trial.setting and not trial.finalist and (not best or score > best[-1][1]):
                best.append((_steps(state), score))
    fresh = [trial for trial in state.trials.values() if trial.finalist]
    named, preset = (
        [trial.metrics[METRIC] for trial in fresh if bool(trial.setting) is found] for found in (True, False)
    )
    return Course(best, _steps(state), statistics.fmean(named) - statistics.fmean(preset))


def _steps(state: SweepState) -> int:
    return sum(trial.step for trial in state.trials.values() if trial.setting and not trial.finalist)


def submit(file: Path, storage: Path) -> bytes:
    """Run a sweep to its end, or find that it has ended; its log. What it shows goes to standard error."""
    command = [sys.executable, "-m", "orchestrator.cli"]
    subprocess.run([*command, "submit", str(file)], stdout=sys.stderr, check=True)
    planning = [*command, "plan", str(file), "--no-measure", "-o", "json"]
    planned = subprocess.run(planning, capture_output=True, text=True, check=True)
    return read_log(FolderStore(storage), SweepPaths(json.loads(planned.stdout)["id"]))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean, by Student's t."""
    mean = statistics.fmean(values)
    if len(values) == 1:
        return mean, mean
    margin = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean - margin, mean + margin


def judge(system: str, courses: Mapping[str, Sequence[Course]]) -> Iterator[Finding]:
    """What the sweeps of one system say."""
    random = courses[RANDOM]
    median_course = _median_course(random)
    goal = median_course.best[-1][1]
    needed = median_course.steps_to(goal)
    for arm in (ASHA, HALVING):
        search = courses[arm]
        taken = [course.steps_to(goal) / needed for course in search]
        by_seed = ", ".join(f"{ratio:.2f}" for ratio in taken)
        told = f"random's best: {METRIC} {goal:.3f} after {needed:,.0f} of {random[0].steps:,} steps; by seed {by_seed}"
        name, middle = f"{system}, {arm}: steps to random's best median / random's", statistics.median(taken)
        yield Finding(name, middle, min(taken), max(taken), len(taken), TARGET, at_least=False, note=told)
        equal = [found.at(other.steps) - other.best[-1][1] for found, other in zip(search, random, strict=True)]
        spent = ", ".join(f"{course.steps:,}" for course in search)
        yield _mean(f"{system}, {arm}: best - random's best at equal steps", equal, 0.0, f"steps in all: {spent}")
        yield _mean(f"{system}, {arm}: named - preset, fresh seeds", [course.gain for course in search], 0.0)
    yield _mean(f"{system}, random: named - preset, fresh seeds", [course.gain for course in random])


def _median_course(courses: Sequence[Course]) -> Course:
    """The median over the seeds of the best so far, at each number of steps at which it changes."""
    best = list[tuple[int, float]]()
    for steps in sorted({when for course in courses for when, _ in course.best}):
        score = statistics.median(course.at(steps) for course in courses)
        if score > (best[-1][1] if best else -math.inf):
            best.append((steps, score))
    return Course(best, max(course.steps for course in courses), math.nan)


def _mean(name: str, values: Sequence[float], target: float | None = None, note: str = "") -> Finding:
    low, high = interval(values)
    return Finding(
        name, statistics.fmean(values), low, high, len(values), target, at_least=True, unit=METRIC, note=note
    )


def plot(found: Mapping[str, Mapping[str, Sequence[Course]]], file: Path) -> None:
    """The best so far over the steps trained, one line a sweep, one panel a system."""
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(found), figsize=(5 * len(found), 3.4), squeeze=False, layout="constrained")
    for panel, (system, courses) in zip(panels[0], found.items(), strict=True):
        for arm, colour in {RANDOM: "tab:gray", ASHA: "tab:orange", HALVING: "tab:blue"}.items():
            for number, course in enumerate(courses[arm]):
                steps, scores = zip(*course.best, (course.steps, course.best[-1][1]), strict=True)
                panel.step(steps, scores, where="post", color=colour, label=None if number else arm)
        panel.set(title=system, xlabel="steps trained in all", ylabel=f"best {METRIC} so far")
        panel.legend(loc="lower right", frameon=False)
        panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Command line."""
    options = parser(__doc__, waits=False)
    options.add_argument("--system", choices=[*SYSTEMS], help="this one alone")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--storage", type=Path, default=Path("build/search"))
    options.add_argument("--plot", type=Path)
    asked = options.parse_args()
    where, systems = conditions(), [asked.system] if asked.system else list(SYSTEMS)
    asked.storage.mkdir(parents=True, exist_ok=True)
    if not (asked.storage / SHARDS).exists():
        from data_shards.build.openmoji import build_openmoji

        build_openmoji(str(asked.storage / SHARDS), size=36)
    found: dict[str, dict[str, list[Course]]] = {system: {arm: [] for arm in ARMS} for system in systems}
    for seed, system, arm in itertools.product(range(asked.seeds), systems, ARMS):
        file = asked.storage / f"{system}-{arm}-{seed}.yaml"
        file.write_text(yaml.safe_dump(sweep_file(system, arm, seed, asked.storage), sort_keys=False))
        found[system][arm].append(course_of(submit(file, asked.storage / RUNS)))
    if asked.plot:
        plot(found, asked.plot)
    show([finding for system in systems for finding in judge(system, found[system])], where, asked.json)


if __name__ == "__main__":
    main()
