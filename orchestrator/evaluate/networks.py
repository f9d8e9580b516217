"""The modules that `evaluate --features` compares in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import Refusal, nearest
from orchestrator.sweep_file.quantities import read_count, read_number
from orchestrator.sweep_file.values import FEATURES as NAME
from trainers.scores import TASK

if TYPE_CHECKING:
    from trainers.features import Module

OPTION = "--features"
EXAMPLES = {"image": "image=299", "range": "range=0:1", "channels": "channels=1 or channels=3"}


def check_names(texts: Sequence[str], task: bool) -> None:
    """Refusal where scores in two networks would have one name. task: whether a task network is asked as well."""
    names = [text.partition("=")[0] for text in texts]
    if task and TASK in names:
        problem = f"{TASK} is what scores in the task network are called by; name this one otherwise"
        raise Refusal(problem, path=OPTION)
    for place, name in enumerate(names):
        if name in names[:place]:
            raise Refusal(f"two networks are called {name}; name one otherwise", path=OPTION, value=texts[place])


def read_network(text: str, channels: int, height: int, width: int) -> tuple[Module, Collection[str]]:
    """The network of NAME=PATH[,image=N][,range=LOW:HIGH][,channels=N], tried on pictures of that size, and what it gives.

    Raises Refusal.
    """
    module = _load(text)
    return module, _gives(module, channels, height, width)


@contextmanager
def module_blamed() -> Iterator[None]:
    """What a module raises of pictures, although it took those that it was tried on, is a Refusal."""
    from trainers.features import RAISED, raised_inside

    try:
        yield
    except RAISED as error:
        why = raised_inside(error)
        if not why:
            raise
        problem = f"a network that took the pictures it was tried on fails on others: {why}"
        raise Refusal(problem, path=OPTION) from error


def _load(text: str) -> Module:
    from cluster.features import read_module
    from data_shards.errors import DataError
    from trainers.compare import device
    from trainers.features import NoFeatures, Shown, load_module

    (name, equals, path), *settings = (part.partition("=") for part in text.split(","))
    if not equals or not path or not NAME.match(name):
        raise Refusal("is NAME=PATH, such as inception=inception.pt,image=299", path=OPTION, value=text)
    shown = Shown(**_shown(settings))
    try:
        return load_module(read_module(str(Path(path).absolute())), name, shown, device())
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Refusal(f"{path} is not there, or no file", path=OPTION, value=path) from error
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {(error.strerror or str(error)).lower()}", path=OPTION) from error
    except (NoFeatures, DataError) as error:
        raise Refusal(str(error), path=OPTION, value=path) from error


def _gives(module: Module, channels: int, height: int, width: int) -> Collection[str]:
    from trainers.features import NoFeatures

    try:
        return module.gives(channels, height, width)
    except NoFeatures as error:
        raise Refusal(str(error), path=OPTION) from error


def _shown(settings: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """How a module wants its pictures."""
    shown: dict[str, Any] = {}
    for place, (key, _, value) in enumerate(settings):
        if key not in EXAMPLES:
            raise Refusal(f"unknown setting {key!r}", path=OPTION, nearest=nearest(key, EXAMPLES), has=EXAMPLES)
        if any(other == key for other, *_ in settings[:place]):
            raise Refusal(f"{key} is given twice; keep one of them", path=OPTION, value=value)
        try:
            shown |= _setting(key, value)
        except ValueError as error:
            problem = f"{key}={value} is not understood; write {EXAMPLES[key]}"
            raise Refusal(problem, path=OPTION, value=value) from error
    return shown


def _setting(key: str, value: str) -> dict[str, Any]:
    """Raises ValueError for what it cannot be."""
    if key != "range":
        number = read_count(int(value), 8_192 if key == "image" else 3)
        if key == "channels" and number == 2:
            raise ValueError("pictures are grey or in colour")
        return {key: number}
    low, high = (read_number(float(level)) for level in value.split(":"))
    if not low < high:
        raise ValueError("black comes first")
    return {"low": low, "high": high}
