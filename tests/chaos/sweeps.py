"""A sweep whose driver is its own process, watched through its log, and what must hold of that log however it was disturbed."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.log.records import SweepState, read_records
from cluster.log.store import read_log, sweeps_in
from cluster.report import Place
from cluster.training import train
from data_shards.store import Store, open_store
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import load_sweep
from tests.beds import until
from tests.integration.spec import SPEC
from trainers.state import digest

STEPS = 300  # of every run here, 4 s for one worker and 15 s for two where the machine is idle; a kill costs 10 to 30
REPORT, CHECKPOINT = 5, 10  # steps
TAIL = 25  # lines


@dataclass
class Sweep:
    """A folder with a sweep file and, unless it names another, its storage. `inside` is put before every command.

    program: the Python program that is the driver.
    """

    folder: Path
    env: Mapping[str, str]
    storage: str
    inside: Sequence[str] = ()
    program: Sequence[str] = ("-m", "orchestrator.cli")
    driver: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def write(self, data: object, trials: int, more: str = "") -> None:
        """The sweep file: a tiny pix2pix over `data`, a search where there are several trials, with further keys in `more`."""
        spec = SPEC.format(shards=data, steps=STEPS, trials=trials, evaluate=CHECKPOINT)
        if trials == 1:
            spec = re.sub(r"search:\n(  .*\n)+|trials:.*\n", "", spec)
        (self.folder / "sweep.yaml").write_text(f'{spec}storage: "{self.storage}"\n{more}')

    @property
    def store(self) -> Store:
        return open_store(self.storage)

    @property
    def paths(self) -> SweepPaths:
        (sweep,) = sweeps_in(self.store)
        return SweepPaths(sweep)

    def start(self, *command: object) -> None:
        """A command that drives the sweep, running: `submit` where there is no other."""
        with (self.folder / "driver.log").open("ab") as log:
            self.driver = subprocess.Popen(
                [*self.inside, sys.executable, *self.program, *map(str, command or ("submit", "sweep.yaml"))],
                cwd=self.folder,
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self, seconds: float) -> int:
        """The driver's exit code."""
        assert self.driver is not None
        code: int = until("the driver ends", lambda: None if self.driving() else [self._code()], seconds, self.tail)[0]
        return code

    def driving(self) -> bool:
        """Whether the driver lives."""
        return self.driver is not None and self.driver.poll() is None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """A signal to the driver; of one that kills it, the end is awaited."""
        assert self.driver is not None
        self.driver.send_signal(number)
        if number == signal.SIGKILL:
            self.driver.wait()

    def records(self) -> list[dict[str, Any]]:
        """The sweep's log; empty before there is one."""
        try:
            return list(read_records(read_log(self.store, self.paths)))
        except (FileNotFoundError, ValueError):
            return []

    def state(self) -> SweepState:
        """What the log adds up to."""
        state = SweepState()
        for record in self.records():
            state.apply(record)
        return state

    def checkpoints(self, trial: int) -> Checkpoints:
        """A trial's checkpoints."""
        return Checkpoints(self.store, self.paths.checkpoints(trial))

    def committed(self, trial: int) -> int:
        """The step of a trial's newest checkpoint, 0 where there is none."""
        return max(self.checkpoints(trial).steps(), default=0)

    def trained(self, trial: int) -> str:
        """The digest of a trial's training state at its newest checkpoint."""
        newest = self.checkpoints(trial).newest()
        assert newest is not None
        return digest(newest.state)

    def digests(self, trials: int) -> list[str]:
        """The digest of the first trials' training states, trial by trial."""
        return [self.trained(index) for index in range(trials)]

    def told(self, *arguments: object) -> str:
        """What a command about this sweep prints. It must succeed."""
        command = [sys.executable, "-m", "orchestrator.cli", *map(str, arguments), "--storage", self.storage]
        done = subprocess.run(
            [*self.inside, *command], cwd=self.folder, env=dict(self.env), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def output(self) -> str:
        """What the drivers have printed."""
        return (self.folder / "driver.log").read_text(errors="replace")

    def tail(self) -> str:
        """The ends of the log and of what the drivers printed, for a failure."""
        last = [{name: one for name, one in r.items() if name != "metrics"} for r in self.records()[-TAIL:]]
        return "\n".join(["the log:", *map(str, last), "the driver:", *self.output().splitlines()[-TAIL:]])

    def _code(self) -> int:
        assert self.driver is not None and self.driver.returncode is not None
        return self.driver.returncode


def undisturbed(sweep: Sweep, trials: int) -> list[str]:
    """The digests of a sweep that nobody disturbs, trained here, by one worker, without Ray; `sweep` is a file of its own."""
    plan = make_plan(load_sweep(sweep.folder / "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=2, gpus=0))
    found = []
    for index in range(trials):
        run = plan.run(index, plan.params(index))
        train(run, Place(), lambda report: report.outcome in (None, "done"), lambda: None)
        newest = Checkpoints(open_store(run.storage), SweepPaths(run.sweep).checkpoints(index)).newest()
        assert newest is not None and newest.step == run.steps
        found.append(digest(newest.state))
    return found


def reported(records: Sequence[Mapping[str, Any]], trial: int) -> Iterator[Mapping[str, Any]]:
    """What a trial reported, in the order of the log."""
    return (record for record in records if record["kind"] == "reported" and record["trial"] == trial)


def breaches(records: Sequence[Mapping[str, Any]], trials: int) -> list[str]:
    """What of a finished sweep's log must not be: trials that ran after their end or did not come to it, steps that were left
    out, or done twice in one start, or done again with another result."""
    found, ended = [], set()
    for record in records:
        trial = record.get("trial")
        if trial in ended and record["kind"] in ("started", "reported", "ended", "failed"):
            found.append(f"trial {trial} has a record after its end: {record['kind']} at step {record.get('step')}")
        if record["kind"] == "ended":
            ended.add(trial)
            if record["state"] != "done":
                found.append(f"trial {trial} ended as {record['state']}: {record.get('error')}")
    found += [f"trial {trial} never ended" for trial in range(trials) if trial not in ended]
    for trial in range(trials):
        found += _of_trial([record for record in records if record.get("trial") == trial], trial)
    return found


def _of_trial(records: Sequence[Mapping[str, Any]], trial: int) -> list[str]:
    found: list[str] = []
    seen: dict[int, dict[str, Any]] = {}
    newest, restarted = 0, True
    for record in records:
        if record["kind"] == "started":
            restarted = True
        if record["kind"] != "reported":
            continue
        step = record["step"]
        if step > newest + REPORT or (step <= newest and not restarted):
            found.append(f"trial {trial} came from step {newest} to {step}")
        exact = {name: value for name, value in record["metrics"].items() if name.startswith(("loss/", "eval/"))}
        before = seen.setdefault(step, exact)
        different = [name for name, value in exact.items() if before.get(name, value) != value]
        if different:
            found.append(f"trial {trial} did step {step} again and got another {different[0]}")
        newest, restarted = step, False
    return found
