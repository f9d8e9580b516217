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
from trainers.outputs import FEATURES, LOGITS, LPIPS, MAPS, READINGS, WORDS

ROWS = frozenset({FEATURES, LOGITS, LPIPS})  # outputs that are a row for each picture
TRIED = (2, 1, 8)  # pictures of noise that a module is tried on, one number after the other: a trace may hold its own
RAISED = (RuntimeError, torch.jit.Error)  # in a module: by its operations, and by its own text
INSIDE = "TorchScript interpreter"  # what the first kind says, and no other error does
LUMA = (
    19_595.0,
    38_470.0,
    7_471.0,
)  # of 65,536: the parts of red, green and blue in a grey level, as files are read as grey


class NoFeatures(ValueError):
    """A file that is no network for pictures, or not what was said of it."""


@dataclass(frozen=True)
class Said:
    """What a network says of N pictures: rows `[N,...]` by the names of `trainers.outputs`, and maps by layer."""

    rows: Mapping[str, Tensor]
    maps: tuple[Tensor, ...] = ()


class TaskNetwork(Protocol):
    """A network that knows the classes of domain b, or those of its pixels, or angles."""

    def __call__(self, x: Tensor) -> Tensor:
        """`[N,C,H,W]` in [-1, 1] -> logits `[N,classes]`; of pixels `[N,classes,H,W]`; of angles a cosine and a sine, `[N,2]`."""
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
    """The task network, one pass for each output that is wanted. degrees: the angle of each class where it reads angles;
    pixel_classes: how many it tells pixels apart by, where it does."""

    network: TaskNetwork
    name: str = "task"
    degrees: tuple[float, ...] = ()
    pixel_classes: int = 0

    def look(self, pictures: Tensor, wanted: Collection[str]) -> Said:
        x = saved(pictures)
        rows = {FEATURES: self.network.features(x)} if FEATURES in wanted else {}
        rows |= {name: self.network(x) for name in wanted if name in READINGS}
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

        Rounded to 8 bits, then scaled with bicubic antialiasing and not rounded again; a grey picture is repeated, and one in
        colour read as grey where one channel is wanted.
        """
        x = saved(pictures)
        x = _grey(x) if self.channels == 1 and x.shape[1] == len(LUMA) else x
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

    def gives(self, channels: int, height: int, width: int = 0) -> dict[str, int]:
        """Its outputs, of pictures of that size (without a width square), and how wide their rows are; of maps how many layers
        have some. Raises NoFeatures where it does not take them, whatever their number, or not give rows for them.
        """
        given = [self._tried(count, channels, height, width or height) for count in TRIED]
        for count, other in zip(TRIED, given, strict=True):
            if other != given[0]:
                problem = (
                    f"{self.name} gives {_sizes(other)} for {count} pictures, and {_sizes(given[0])} for {TRIED[0]}"
                )
                raise NoFeatures(f"{problem}: these must not hang on how many there are")
        return given[0]

    def _tried(self, count: int, channels: int, height: int, width: int) -> dict[str, int]:
        """What it gives of so many."""
        noise = torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
        try:
            said = self.look(noise.to(self.device), ())
        except RAISED as error:
            sides = (self.shown.image,) * 2 if self.shown.image else (height, width)
            what = f"float [{'N' if count == TRIED[0] else count},{self.shown.channels},{sides[0]},{sides[1]}]"
            raise NoFeatures(f"{self.name} does not take {what}: {_last_line(error)}") from error
        for name, rows in said.rows.items():
            if rows.ndim != 2 or len(rows) != count or not rows.shape[1] or rows.is_complex():
                kind = ", complex numbers," if rows.is_complex() else ""
                shape = f"of shape {list(rows.shape)}{kind} for {count} pictures"
                raise NoFeatures(f"{self.name} gives {name} {shape}, not [{count},...]")
        for maps in said.maps:
            if len(maps) != count:
                raise NoFeatures(f"{self.name} gives maps of shape {list(maps.shape)} for {count} pictures")
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


def raised_inside(error: Exception) -> str:
    """What an error of RAISED says where a module raised it; empty where something else did, such as memory that is short."""
    return _last_line(error) if isinstance(error, torch.jit.Error) or INSIDE in str(error) else ""


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


def _grey(x: Tensor) -> Tensor:
    """`[N,3,H,W]` in [-1, 1], rounded to 8 bits -> `[N,1,H,W]`, the same; its sums of whole numbers are exact."""
    parts = torch.tensor(LUMA, dtype=x.dtype, device=x.device)[:, None, None]
    levels = ((x + 1.0) * 127.5).round()
    return (((levels * parts).sum(1, keepdim=True) + 32_768.0) / 65_536.0).floor() / 127.5 - 1.0


def _sizes(gives: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in gives.items())


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
