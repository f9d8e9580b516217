"""`task`: a trained task network, found as `results` finds a sweep, and checked against the data that it is to judge.

What counts is its weights, not where they lie: their hash is a part of the sweep's identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cluster.model_file import CARD, NoModel, damaged, read_model
from cluster.run import Run, Task
from cluster.task import READS
from data_shards.address import join
from data_shards.errors import DataError
from data_shards.store import Store
from orchestrator.errors import Refusal
from orchestrator.finding import find_sweep
from orchestrator.planning.data import MAKES_MAPS, DataFacts
from orchestrator.planning.degrees import DEGREES
from orchestrator.planning.settings import TASK_CLASSES, TASK_KIND, TASK_WIDTH, Setting
from orchestrator.storage import open_to_look
from trainers.angles import SEPARATOR, degrees_of
from trainers.outputs import ANGLES, PIXELS
from trainers.system import System

MAKES = "`i2i-cluster task train` makes one"
FITS = "`i2i-cluster task train` makes one that fits"
NAMED = 4  # classes that an error names
SAYS = {TASK_WIDTH: "has a width of {}", TASK_KIND: "is a {}", TASK_CLASSES: "knows {} classes"}
# What a network reads -> why a loss that asks for the class of a picture cannot have it.
OTHERS = {
    PIXELS: "it tells the classes of pixels, and a loss asks for those of pictures",
    ANGLES: "it reads angles, and a loss asks for the classes of pictures",
}


@dataclass(frozen=True)
class TaskNetwork:
    """A trained task network as its card tells it. `run`: the training that made it.

    uri: the address of its folder. shape: (channels, height, width) of what it was trained on. accuracy: on its own
    validation pictures, of a segmenter on their pixels; None where there were none. miou: a segmenter's mean of both / either.
    angle_error: a regressor's, in degrees.
    """

    uri: str
    sha256: str
    run: Run
    shape: tuple[int, int, int]
    accuracy: float | None
    miou: float | None = None
    angle_error: float | None = None

    @property
    def domain(self) -> str:
        """The domain whose pictures it knows."""
        return str(self.run.hyper["domain"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that it tells apart, in the order of their numbers."""
        return self.run.data.classes

    @property
    def label_map(self) -> str:
        """Of a segmenter: the domain of the label maps that it learned from. Empty for what tells whole pictures apart."""
        return str(self.run.hyper.get("label_map", ""))

    @property
    def reading(self) -> str:
        """What it reads in pictures, one of `trainers.outputs.READINGS`."""
        return READS[self.run.system]

    @property
    def degrees(self) -> tuple[float, ...]:
        """Of a regressor: the angle of each class. Empty for what reads no angles."""
        told = self.run.hyper.get(DEGREES)
        return degrees_of(str(told).split(SEPARATOR)) if told else ()

    @property
    def width(self) -> int:
        """Channels of its first layer."""
        return int(self.run.hyper["width"])

    @property
    def settings(self) -> dict[str, Setting]:
        """What the settings of a system that asks it say of it."""
        return {TASK_WIDTH: self.width, TASK_KIND: self.run.system, TASK_CLASSES: len(self.classes)}

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
            label_map=self.label_map,
            degrees=self.degrees,
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
    if run.system not in READS:
        raise Refusal(f"{wanted} is a {run.system}, which is no task network; {MAKES}", path=path, value=wanted)
    try:
        channels, height, width = card["shapes"][run.hyper["domain"]]
        int(run.hyper["width"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(str(damaged(store, prefix, CARD)), path=path, value=wanted) from error
    uri = join(store.uri, prefix.rstrip("/")) if prefix else store.uri
    scores = card["evaluation"]
    told = (scores.get(f"eval/{name}") for name in ("accuracy", "miou", "angle_error"))
    return TaskNetwork(uri, card["sha256"], run, (channels, height, width), *told)


def check_task(network: TaskNetwork, data: DataFacts, hyper: Mapping[str, Setting], image: int) -> None:
    """Refusal where a task network does not know the data's classes, or cannot take their pictures; `hyper`: the preset's."""
    asks = TASK_WIDTH in hyper and TASK_KIND not in hyper  # with a kind, a loss asks for maps, which all have
    if asks and network.reading in OTHERS:
        raise Refusal(f"{OTHERS[network.reading]}; name a classifier, or leave it out", path="task")
    if network.label_map:
        _check_segmenter(network, data, image)
    classes = data.label_maps[network.label_map].classes if network.label_map else data.classes
    if network.classes != classes:
        has = f"{data.name} has {_listed(classes)}" if classes else f"{data.name} has none that are known"
        raise Refusal(f"it knows the classes {_listed(network.classes)}, and {has}; {FITS}", path="task")
    domain = judged(network, data)
    channels = data.stored[domain][0]
    if network.shape[0] != channels:
        problem = f"it knows pictures of {channels_text(network.shape[0])}, and domain {domain} of {data.name} has"
        raise Refusal(f"{problem} {channels_text(channels)}", path="task")
    wrong = [name for name, value in network.settings.items() if hyper.get(name, value) != value]
    for name in wrong:
        problem = f"the task network {SAYS[name].format(network.settings[name])}, not {hyper[name]}; leave it out"
        raise Refusal(problem, path=f"hyper.{name}", value=hyper[name])


def _check_segmenter(network: TaskNetwork, data: DataFacts, image: int) -> None:
    """Refusal where nothing could be held against what it reads."""
    if network.label_map not in data.label_maps:
        known = f"its label maps in {' and '.join(data.label_maps)}" if data.label_maps else f"none; {MAKES_MAPS}"
        problem = f"it is held against label maps of domain {network.label_map}, and {data.name} has {known}"
        raise Refusal(problem, path="task")
    side = network.shape[1]
    if side != image:  # of another size, the same pixels show other things: lines are thicker, edges are blurred
        problem = f"it reads the pixels of pictures of {side} x {side}, not of {image} x {image}; {FITS}"
        raise Refusal(problem, path="task")


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
        "labels": network.label_map or None,
        "accuracy": network.accuracy,
        "miou": network.miou,
        "angle_error": network.angle_error,
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


def channels_text(count: int) -> str:
    """A number of channels in words."""
    return "1 channel" if count == 1 else f"{count} channels"
