"""Three real sweeps under one real Prometheus, whose rules run a hundred times as fast: one that is well, one whose GAN dies, and
one in trouble with its numbers, its object store and its checkpoints. What comes of them can be asked until the end of the block.

`dying` is a DCGAN as no good recipe has it: minimax, five turns of a wide critic, and a slow and narrow generator. `troubled` has a
weight of 1e38 in one of two trials, and a network in front of its store that refuses the checkpoints of that trial and fails at
every third of the other one's. Nothing is killed or stopped on purpose before the alerts of a training that goes on have fired. The
surprise is that each has a port of its own: who takes the next one that is free may get that of a driver which was killed.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import pytest

from data_shards.address import join
from data_shards.store import open_store
from scripts.monitoring.asking import Line
from scripts.monitoring.promql import Clock
from scripts.monitoring.rules import alerts
from scripts.monitoring.server import Server, free_port, serving
from tests.beds import TRIAL, Raylets, kill, until
from tests.faults import Faulty, Request, by_seed, faulty
from tests.integration.joining import Joined
from tests.seaweed import BUCKET, CREDENTIALS, Seaweed

CLOCK = Clock(0.01)
END_S = 240.0  # of a wait that takes 40 s where the machine is idle
LONGEST_S = CLOCK.scale * max(alert.wait for alert in alerts())
FIRING = 'ALERTS{{alertname="{}", alertstate="firing", sweep="{}"}}'
# Alert -> the sweep that is sick in that way, while its trainings go on; and of what is killed or stopped at the end.
LIVING = {
    "I2INonFinite": "troubled",
    "I2IS3Errors": "troubled",
    "I2ICheckpointFailing": "troubled",
    "I2ICheckpointStale": "troubled",
    "I2ICriticWon": "dying",
    "I2IModeCollapse": "dying",
}
ENDED = {"I2IExporterDown": "troubled", "I2ITrainingStalled": "dying"}

WELL = """
name: well
system: pix2pix
data: {{uri: "{shards}", image: 32, batch: 8, replicas: 2, augment: {{jitter: 1.0}}, cache: {{folder: "CACHE"}}}}
steps: {steps}
hyper: {{width: 4, critic: patch16, critic_width: 4}}
objective: {{metric: eval/ssim}}
balance: {{target_accuracy: 0.8}}
every: {{report: 10, evaluate: 400, checkpoint: 200}}
budget: {{cpu_hours: 10, wall: 1h}}
"""
DYING = """
name: dying
system: dcgan
data: {{uri: "{shards}", image: 32, batch: 16, augment: {{jitter: 1.0}}}}
steps: {steps}
hyper: {{gan: minimax, width: 4, critic_width: 16, lr: 1.0e-4}}
balance: {{critic_turns: 5, lr_ratio: 10}}
objective: {{metric: loss/adv}}
every: {{report: 2, evaluate: 10, checkpoint: 50}}
"""
TROUBLED = """
name: troubled
system: pix2pix
data: {{uri: "{shards}", image: 32, batch: 8, augment: {{jitter: 1.0}}, cache: {{folder: "CACHE"}}}}
steps: {steps}
hyper: {{width: 4, critic: patch16, critic_width: 4}}
search:
  weights.l1: {{choice: [100, 1.0e+38]}}
searcher: grid
objective: {{metric: eval/ssim}}
on_nonfinite: skip
every: {{report: 5, evaluate: 20, checkpoint: 5}}
budget: {{failures: 1000, cpu_hours: 10, wall: 1h}}
"""
SHARED = "resources: {{cpus_per_worker: 0.2}}\nmetrics: {{port: {}}}\n"
ENDLESS = 1_000_000


@dataclass
class World:
    """What the Prometheus has seen. ids: name -> id of a sweep. well: from when to when that one was judged.

    pages: name -> what the sweep's driver exported while it trained.
    """

    server: Server
    began: float
    ids: dict[str, str] = field(default_factory=dict)
    well: tuple[float, float] = (0.0, 0.0)
    ended: float = 0.0
    pages: dict[str, str] = field(default_factory=dict)

    def fired(self, alert: str, name: str) -> bool:
        """Whether an alert of a sweep has ever been firing."""
        return bool(self.server.asked.now(f"max_over_time({FIRING.format(alert, self.ids[name])}[1h])"))

    def firing(self, alert: str, name: str) -> list[Line]:
        """Those that are now."""
        return self.server.asked.now(FIRING.format(alert, self.ids[name]))

    def of(self, name: str, expr: str) -> list[Line]:
        """What an expression comes to now; `SWEEP` in it stands for a sweep's label."""
        return self.server.asked.now(expr.replace("SWEEP", f'sweep="{self.ids[name]}"'))


def wait(happened: Callable[[], object]) -> None:
    """For that, or no longer than END_S: a test of its own says what did not happen."""
    with suppress(AssertionError):
        until("it happens", happened, END_S)


def fate(request: Request) -> str | None:
    """What becomes of a request of `troubled`."""
    if request.method in ("PUT", "POST") and "/trials/0001/checkpoints/step-" in request.path:
        return "503"
    return _flaky(request) if "/trials/0000/checkpoints/" in request.path else None


_flaky = by_seed(1, share=0.3, kinds=("503", "reset"))


def sweeps(bed: Raylets, seaweed: Seaweed, network: Faulty, shards: Path, folder: Path) -> dict[str, Joined]:
    """Their files; name -> sweep."""
    place = f"{BUCKET}/{folder.name}"
    for file in shards.iterdir():
        open_store(join(seaweed.uri(place), "data")).upload(file.name, file)
    near, far = seaweed.uri(place), network.uri(place)
    told: dict[str, tuple[str, object, int, str]] = {
        "well": (WELL, join(near, "data"), 4000, join(near, "well")),
        "dying": (DYING, shards, 1500, ""),
        "troubled": (TROUBLED, join(far, "data"), ENDLESS, f"{join(far, 'troubled')}&deadline=3s"),
    }
    made = {}
    for name, (text, data, steps, storage) in told.items():
        template = text.replace("CACHE", str(folder / "cache"))
        more = SHARED.format(free_port(0))
        made[name] = Joined(bed, folder / name, data, more, template=template, steps=steps, storage=storage)
        made[name].env = {**made[name].env, "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]}
    return made


@contextmanager
def sick_and_well(bed: Raylets, seaweed: Seaweed, shards: Path, folder: Path) -> Iterator[World]:
    """The three, from their start to what was done to them last."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in {**CREDENTIALS, "XDG_STATE_HOME": str(folder / "state")}.items():
            patch.setenv(name, value)
        world = World(stack.enter_context(serving(folder, free_port(0), CLOCK)), time.time())
        running = sweeps(bed, seaweed, stack.enter_context(faulty(seaweed.endpoint, fate)), shards, folder)
        stack.callback(_end, bed, running)
        for sweep in running.values():
            sweep.start()
        _begin(world, running)
        # Its start takes as long as anywhere, which is long for rules that are so fast: it is judged from its first reports on.
        wait(lambda: not world.of("well", 'ALERTS{SWEEP, alertstate="firing"}'))
        since = time.time()
        wait(lambda: _all_fired(world, "troubled"))
        running["troubled"].kill()
        _live(world, running["well"])
        world.well = since, time.time()
        running["well"].kill(signal.SIGINT)
        until("one training is left", lambda: len(bed.pids(TRIAL)) == 1, END_S)
        os.kill(bed.pids(TRIAL)[0], signal.SIGSTOP)
        wait(lambda: world.firing("I2ITrainingStalled", "dying"))
        running["well"].end(END_S)
        world.ended = time.time()
        yield world


def _all_fired(world: World, name: str) -> bool:
    return all(world.fired(alert, sweep) for alert, sweep in LIVING.items() if sweep == name)


def _begin(world: World, running: dict[str, Joined]) -> None:
    """Until all of them report."""
    asked = world.server.asked

    def reporting() -> bool:
        world.ids = {line.labels["name"]: line.labels["sweep"] for line in asked.now("i2i_sweep_info")}
        told = {line.labels["sweep"] for line in asked.now("i2i_train_steps_total > 0")}
        return world.ids.keys() == running.keys() and told == set(world.ids.values())

    until("all report", reporting, END_S, lambda: "\n".join(sweep.tail() for sweep in running.values()))
    for name in running:
        (up,) = world.of(name, "up{SWEEP}")
        with urlopen(f"http://{up.labels['instance']}/metrics", timeout=30) as page:
            world.pages[name] = page.read().decode()


def _live(world: World, well: Joined) -> None:
    """Until all is seen that can be seen of trainings that go on, and `well` has been beyond the grace of all alerts for as long as
    any of them waits, or has ended."""
    late = f"min_over_time(i2i_train_progress_ratio{{SWEEP}}[{1000 * LONGEST_S:.0f}ms]) > 0.3"
    wait(lambda: world.firing("I2IExporterDown", "troubled"))
    wait(lambda: _all_fired(world, "dying") and (world.of("well", late) or not well.driving()))


def _end(bed: Raylets, running: dict[str, Joined]) -> None:
    for sweep in running.values():
        if sweep.driving():
            sweep.kill()
    for pid in bed.pids(TRIAL):
        kill(pid)
    until("nothing is left", lambda: not bed.pids(TRIAL), END_S)
