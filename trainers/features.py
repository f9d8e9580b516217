"""Networks that look at pictures for an evaluation: the sweep's task network, and a module that the user gives as a file.

A module is TorchScript: the network and its weights in one file, which needs no code of ours and asks nobody on the network. It
takes float `[N,C,H,W]` in a range of its own and gives features `[N,F]`, or several outputs by name: `features`, `logits`, `lpips`,
and maps of layers, `[N,C,H,W]`, under any others.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.measures import saved
from trainers.outputs import FEATURES, LOGITS, LPIPS, MAPS, WORDS

ROWS = frozenset({FEATURES, LOGITS, LPIPS})  # outputs that are a row for each picture
TRIED = 2  # pictures of noise that a module is tried on


class NoFeatures(ValueError):
    """A file that is no network for pictures, or not what was said of it."""


@dataclass(frozen=True)
class Said:
    """What a network says of N pictures: rows `[N,...]` by the names of `trainers.outputs`, and maps by layer."""

    rows: Mapping[str, Tensor]
    maps: tuple[Tensor, ...] = ()


class TaskNetwork(Protocol):
    """A network that knows the classes of domain b, or those of its pixels."""

    def __call__(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` in [-1, 1] -> logits `[N,classes]`; of pixels `[N,classes,H,W]`."""
        ...

    def features(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` in [-1, 1] -> `[N,F]`."""
        ...

    def maps(self, x: Tensor) -> tuple[Tensor, ...]:
        """`[N,C,H,W]` in [-1, 1] -> `[N,C,H,W]` of each layer, the outermost first."""
        ...


class Network(Protocol):
    """Looks at pictures as they would be saved, in fp32. `name`: what scores in it are called by."""

    @property
    def name(self) -> str: ...

    def look(self, pictures: Tensor, wanted: Collection[str]) -> Said:
        """`[N,C,H,W]` in [-1, 1] -> at least the outputs that are wanted."""
        ...


@dataclass(frozen=True)
class OfTask:
    """The task network, one pass for each output that is wanted."""

    network: TaskNetwork
    name: str = "task"

    def look(self, pictures: Tensor, wanted: Collection[str]) -> Said:
        x = saved(pictures)
        rows = {FEATURES: self.network.features(x)} if FEATURES in wanted else {}
        rows |= {LOGITS: self.network(x)} if LOGITS in wanted else {}
        return Said(rows, self.network.maps(x) if MAPS in wanted else ())


@dataclass(frozen=True)
class Shown:
    """How a module wants its pictures: `image` pixels a side (0: as they are), values from `low` to `high`, `channels` of them."""

    image: int = 0
    low: float = -1.0
    high: float = 1.0
    channels: int = 3

    def to_module(self, pictures: Tensor) -> Tensor:
        """`[N,C,H,W]` in [-1, 1] -> what the module takes.

        Rounded to 8 bits, then scaled with bicubic antialiasing and not rounded again; a grey picture is repeated.
        """
        x = saved(pictures)
        x = x.expand(-1, self.channels, -1, -1) if x.shape[1] == 1 else x
        if self.image and x.shape[2:] != (self.image, self.image):
            x = F.interpolate(x, (self.image, self.image), mode="bicubic", antialias=True)
        return (x + 1.0) * ((self.high - self.low) / 2.0) + self.low


@dataclass(frozen=True, eq=False)
class Module:
    """A module that a user gave, on a device. Made by `load_module`."""

    name: str
    shown: Shown
    graph: Any = field(repr=False)
    device: torch.device

    def look(self, pictures: Tensor, wanted: Collection[str]) -> Said:
        plainly = torch.jit.optimized_execution(False)  # type: ignore[attr-defined]  # other bits from the third call on, else
        with torch.no_grad(), plainly:
            return _said(self.graph(self.shown.to_module(pictures)), self.name)

    def gives(self, channels: int, image: int) -> dict[str, int]:
        """Its outputs, of pictures of that size, and how wide their rows are; of maps how many layers have some.

        Raises NoFeatures where it does not take them, or not give rows for them.
        """
        noise = torch.rand(TRIED, channels, image, image, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
        try:
            said = self.look(noise.to(self.device), ())
        except RuntimeError as error:
            side = self.shown.image or image
            what = f"float [N,{self.shown.channels},{side},{side}]"
            raise NoFeatures(f"{self.name} does not take {what}: {_last_line(error)}") from error
        for name, rows in said.rows.items():
            if rows.ndim != 2 or len(rows) != TRIED:
                raise NoFeatures(
                    f"{self.name} gives {name} of shape {list(rows.shape)} for {TRIED} pictures, not [{TRIED},...]"
                )
        return {name: rows.shape[1] for name, rows in said.rows.items()} | ({MAPS: len(said.maps)} if said.maps else {})


def load_module(data: bytes, name: str, shown: Shown, device: torch.device) -> Module:
    """The network in a TorchScript file. Raises NoFeatures where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch's successor has no file that needs no code
            graph = torch.jit.load(io.BytesIO(data), map_location=device)
    except (RuntimeError, ValueError) as error:
        advice = "torch.jit.trace(network, example).save(PATH) makes one"
        raise NoFeatures(f"{name} is no TorchScript file ({_first_line(error)}); {advice}") from error
    return Module(name, shown, graph.eval(), device)


def _said(out: object, name: str) -> Said:
    """The outputs of a module, by name."""
    if isinstance(out, Tensor):
        out = {FEATURES: out}
    if not isinstance(out, dict) or not all(isinstance(value, Tensor) for value in out.values()):
        raise NoFeatures(
            f"{name} gives a {type(out).__name__}, not features [N,F] or a dict of {', '.join(sorted(ROWS))} and maps"
        )
    rows = {key: value for key, value in out.items() if key in ROWS}
    maps = tuple(value for key, value in out.items() if key not in ROWS)
    if FEATURES not in rows:
        raise NoFeatures(f"{name} gives no {FEATURES} among {', '.join(map(str, out))}")
    if wrong := [key for key, value in out.items() if key not in ROWS and value.ndim != 4]:
        raise NoFeatures(f"{name} gives {wrong[0]} that is no [N,C,H,W] of {WORDS[MAPS]}")
    return Said(rows, maps)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
