"""A sweep of 12 trials of about 5 seconds on 2 CPUs / the ideal time for them.

    python -m benchmarks.sweep [--trials 12] [--seconds 5] [--json]

Ideal: the same trials by bare processes, two busy at once so that they share caches and memory as trials do; the sum of
their times by 2. One half of them runs before the sweep and one half after it; where others disturbed one of the halves
the other stands for both, since the trials are alike. The sweep's clock runs from the moment the first trial begins to
train (its first report less the seconds it says it has trained) to the end of the last trial: Ray's start and the first
actor's imports are outside, everything between trials is inside, and so is the start of the second actor.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.group import Group
from benchmarks.measure import BUSY, Finding, Watch, conditions, parser, show, unfit, wait_for_quiet
from cluster.job import Job
from cluster.layout import SweepPaths
from cluster.log.records import SweepState, TrialState, read_records
from cluster.run import Data, Every, Run
from data_shards.manifest import Manifest
from trainers.settings import Balance
from trainers.systems.catalog import SYSTEMS

TARGET = 1.25
PAIRS = 160
CONCURRENT = 2
PROBE = (30, 90)  # steps of two short runs whose difference is the time of a step
SWEEP, ALONE = "sweep", "alone"


def serve(pipe: Connection) -> None:
    """A bare process: trains each run of a message, and answers with their wall seconds."""
    from cluster.report import Place
    from cluster.training import train

    while (runs := pipe.recv()) is not None:
        seconds = []
        for run in runs:
            began = time.perf_counter()
            train(run, Place(), lambda report: True, lambda: None)
            seconds.append(time.perf_counter() - began)
        pipe.send(seconds)


@dataclasses.dataclass(frozen=True)
class Trials:
    """The trials: small pix2pix runs on the shards in `folder`, alike but for their number and L1 weight."""

    folder: Path
    steps: int = 0

    def run(self, index: int, storage: str) -> Run:
        """Trial `index`, complete; it stores under `storage`."""
        kind = SYSTEMS["pix2pix"]
        manifest = Manifest.open(str(self.folder / "shards"))
        weights = {term.name: term.weight for term in kind.terms} | {"l1": 100.0 + 10.0 * index}
        return Run(
            sweep=SWEEP,
            trial=index,
            seed=0,
            system=kind.name,
            hyper=dataclasses.asdict(kind.Hyper(width=16, critic_width=16)),
            weights=weights,
            balance=dataclasses.asdict(Balance()),
            data=Data(manifest.uri, manifest.sha256, 64, 4, 1, True, 72 / 64),
            steps=self.steps,
            every=Every(report=max(1, self.steps // 10), evaluate=max(1, self.steps // 2), checkpoint=self.steps),
            workers=1,
            least_workers=1,
            threads=1,
            precision="fp32",
            layout="contiguous",
            exact=True,
            on_nonfinite="stop",
            storage=str(self.folder / storage),
        )

    def lasting(self, seconds: float, group: Group) -> Trials:
        """The same trials with as many steps as one process needs for `seconds`, its start and end included."""
        times = []
        for number, steps in enumerate((PROBE[0], *PROBE)):  # the first one warms up
            probe = dataclasses.replace(self, steps=steps).run(number, "probe")
            times.append(group.ask([[probe]])[0][0])
        step = (times[2] - times[1]) / (PROBE[1] - PROBE[0])
        fixed = times[1] - PROBE[0] * step
        return dataclasses.replace(self, steps=max(PROBE[0], round((seconds - fixed) / step)))


@dataclasses.dataclass
class Sweep:
    """A launched sweep and what its log says of its time."""

    folder: Path
    launched: float = 0.0  # wall seconds of the whole launch
    others: float = 0.0
    _watch: Watch | None = None

    def launch(self, job: Job) -> None:
        """Run it. Raises RuntimeError where it does not come to its end."""
        from cluster.launch import launch

        began = time.perf_counter()
        state = launch(job, self._observe)
        self.launched = time.perf_counter() - began
        if state != "done":
            raise RuntimeError(f"the sweep ended as {state}")

    def _observe(self, state: SweepState) -> None:
        """Look at the machine while Ray's processes live."""
        if self._watch is not None:
            self.others = self._watch.others()
        elif any(trial.step for trial in state.trials.values()):
            self._watch = Watch()

    def seconds(self) -> float:
        """From the first trial's first step to the last trial's end."""
        records = list(read_records((self.folder / SweepPaths(SWEEP).log).read_bytes()))
        first = min(r["at"] - r["metrics"]["time/train_seconds"] for r in records if r["kind"] == "reported")
        return float(max(r["at"] for r in records if r["kind"] == "ended") - first)


def make_job(trials: Trials, count: int, cores: int) -> Job:
    """The sweep's job, two trials at a time whatever the machine has."""

    def run(trial: TrialState) -> Run:
        return trials.run(trial.index, SWEEP)

    return Job(
        id=SWEEP,
        name=SWEEP,
        storage=str(trials.folder / SWEEP),
        about={},
        trials=count,
        suggest=lambda index, trials: {},
        run=run,
        metric="eval/ssim",
        mode="max",
        steps=trials.steps,
        schedule=None,
        workers=1,
        least_workers=1,
        cpus_per_worker=cores / CONCURRENT,
        gpus_per_worker=0.0,
        failures=0,
        wall=None,
    )


def measure(count: int, seconds: float, wait: float, cores: int) -> list[Finding]:
    """Build the shards, find the ideal around the sweep, run the sweep."""
    from data_shards.build.openmoji import build_openmoji

    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name:
        folder = Path(name)
        build_openmoji(str(folder / "shards"), size=72, limit=PAIRS)
        group = Group(serve, [()] * CONCURRENT)
        before = wait_for_quiet(wait)
        trials = Trials(folder).lasting(seconds, group)
        print(f"{count} trials of {trials.steps} steps", file=sys.stderr)
        runs = [trials.run(index, ALONE) for index in range(count)]
        group.ask([[trials.run(count + i, ALONE)] for i in range(CONCURRENT)])  # warms the second process up
        half = count // 2
        first = _both(group, runs[:half])
        sweep = Sweep(folder / SWEEP)
        sweep.launch(make_job(trials, count, cores))
        last = _both(group, runs[half:])
        group.close()
        took = sweep.seconds()
    quiet = [times for times, others in (first, last) if others <= BUSY]
    alone = [seconds for times in quiet or (first[0], last[0]) for seconds in times]
    ideal = count * statistics.mean(alone) / CONCURRENT
    note = (
        f"{took:.1f} s against {ideal:.1f} s; {trials.steps} steps a trial, {statistics.median(alone):.2f} s each without Ray; "
        f"the whole launch took {sweep.launched:.1f} s; "
        f"cores that others kept busy: {before:.2f} before, {first[1]:.2f} and {last[1]:.2f} during the trials "
        f"alone, {sweep.others:.2f} during the sweep"
    )
    value, reason = took / ideal, unfit(sweep.others, min(first[1], last[1]))
    return [Finding("sweep", value, value, value, 1, TARGET, at_least=False, note=note, unfit=reason)]


def _both(group: Group, runs: list[Run]) -> tuple[list[float], float]:
    """The wall seconds of each run, half of them in each process, both busy at once; and the cores others kept busy."""
    watch = Watch()
    answers = group.ask([runs[0::2], runs[1::2]])
    return [seconds for answer in answers for seconds in answer], watch.others()


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--trials", type=int, default=12, help="a multiple of 4")
    options.add_argument("--seconds", type=float, default=5.0, help="of a trial that runs alone")
    asked = options.parse_args()
    where = conditions()
    show(measure(asked.trials, asked.seconds, asked.wait, where["cores"]), where, asked.json)


if __name__ == "__main__":
    main()
