"""`task`: a trained task network, found as `results` finds a sweep, and checked against the data that it is to judge.

What counts is its weights, not where they lie: their hash is a part of the sweep's identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cluster.model_file import CARD, NoModel, read_model
from cluster.run import Run, Task
from cluster.task import NETWORKS
from data_shards.address import join
from data_shards.errors import DataError
from data_shards.store import Store
from orchestrator.data import DataFacts
from orchestrator.errors import Refusal
from orchestrator.finding import find_sweep
from orchestrator.settings import TASK_WIDTH, Setting
from orchestrator.storage import open_to_look
from trainers.system import System

MAKES = "`i2i-cluster task train` makes one"
NAMED = 4  # classes that an error names


@dataclass(frozen=True)
class TaskNetwork:
    """A trained task network as its card tells it. `run`: the training that made it.

    uri: the address of its folder. shape: (channels, height, width) of what it was trained on. accuracy: on its own
    validation pictures; None where there were none.
    """

    uri: str
    sha256: str
    run: Run
    shape: tuple[int, int, int]
    accuracy: float | None

    @property
    def domain(self) -> str:
        """The domain whose pictures it knows."""
        return str(self.run.hyper["domain"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that it tells apart, in the order of their numbers."""
        return self.run.data.classes

    @property
    def width(self) -> int:
        """Channels of its first layer."""
        return int(self.run.hyper["width"])

    @property
    def part(self) -> Task:
        """What a run must know of it."""
        return Task(
            uri=self.uri,
            sha256=self.sha256,
            kind=self.run.system,
            domain=self.domain,
            channels=self.shape[0],
            classes=len(self.classes),
            width=self.width,
        )


def find_task(wanted: str, storage: str) -> TaskNetwork:
    """The task network that stands after `task:` in a sweep file; see `look_up`."""
    return look_up(wanted, storage, "task", f"name its folder; {MAKES}")


def look_up(wanted: str, storage: str, path: str, advice: str) -> TaskNetwork:
    """The task network of the sweep that `wanted` is the name, the id or the address of, or the address of its own folder.

    storage: where names and ids are looked for. Raises Refusal, about `path`, where there is none; `advice`: what to do where
    the storage holds nothing at all.
    """
    try:
        store, prefix = _place(wanted, storage, advice)
        card, _ = read_model(store, prefix)
    except (DataError, NoModel) as error:
        raise Refusal(str(error), path=path, value=wanted) from error
    except Refusal as refusal:
        refusal.path = path
        raise
    run = Run.from_json(card["run"])
    if run.system not in NETWORKS:
        raise Refusal(f"{wanted} is a {run.system}, which is no task network; {MAKES}", path=path, value=wanted)
    channels, height, width = card["shapes"][run.hyper["domain"]]
    uri = join(store.uri, prefix.rstrip("/")) if prefix else store.uri
    accuracy = card["evaluation"].get("eval/accuracy")
    return TaskNetwork(uri, card["sha256"], run, (channels, height, width), accuracy)


def check_task(network: TaskNetwork, data: DataFacts, hyper: Mapping[str, Setting]) -> None:
    """Refusal where a task network does not know the data's classes, or cannot take their pictures; `hyper`: the preset's."""
    if network.classes != data.classes:
        has = f"{data.name} has {_listed(data.classes)}" if data.classes else f"{data.name} has none that are known"
        problem = (
            f"it knows the classes {_listed(network.classes)}, and {has}; `i2i-cluster task train` makes one that fits"
        )
        raise Refusal(problem, path="task")
    domain = judged(network, data)
    channels = data.stored[domain][0]
    if network.shape[0] != channels:
        problem = f"it knows pictures of {_channels(network.shape[0])}, and domain {domain} of {data.name} has"
        raise Refusal(f"{problem} {_channels(channels)}", path="task")
    if hyper.get(TASK_WIDTH, network.width) != network.width:
        problem = f"the task network has a width of {network.width}, not {hyper[TASK_WIDTH]}; leave it out"
        raise Refusal(problem, path=f"hyper.{TASK_WIDTH}", value=hyper[TASK_WIDTH])


def check_needs(system: type[System], hyper: object, network: TaskNetwork | None) -> None:
    """Refusal where a system asks a trained task network and the sweep names none."""
    if network is None and system.needs_task(hyper):
        raise Refusal(f"{system.name} asks a trained task network under these hyper settings; {MAKES}", path="task")


def judged(network: TaskNetwork, data: DataFacts) -> str:
    """The domain of these data whose pictures it judges: that of its own name, or the only one there is."""
    return network.domain if network.domain in data.stored else next(iter(data.stored))


def notes_on(network: TaskNetwork, image: int) -> list[str]:
    """What the user should know, a line each."""
    side = network.shape[1]
    if side == image:
        return []
    return [f"the task network was trained at {side} x {side} pixels, and judges pictures of {image} x {image}"]


def describe_task(network: TaskNetwork) -> dict[str, Any]:
    """A task network as JSON-able values."""
    return {
        "task": network.uri,
        "kind": network.run.system,
        "domain": network.domain,
        "classes": list(network.classes),
        "shape": list(network.shape),
        "width": network.width,
        "accuracy": network.accuracy,
        "steps": network.run.steps,
        "data": network.run.data.uri,
        "manifest": network.run.data.manifest,
        "sweep": network.run.sweep,
        "sha256": network.sha256,
    }


def _place(wanted: str, storage: str, advice: str) -> tuple[Store, str]:
    """The store of a model, and what stands before its files' names there."""
    with suppress(DataError, Refusal):  # a name may be no path
        store = open_to_look(wanted)
        if store.exists(CARD):
            return store, ""
    found = find_sweep(wanted, storage, advice)
    return found.store, f"{found.paths.best}/"


def _listed(classes: Sequence[str]) -> str:
    named = ", ".join(classes[:NAMED])
    return named if len(classes) <= NAMED else f"{named}, ... ({len(classes)} in all)"


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
