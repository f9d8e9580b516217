"""A model as a file for other programs, compared with the model before anybody sees it.

What is written is the network of a way (`trainers.ways`) as it is used: batch norms look at each picture alone, or keep what a
company of pictures from noise told them; dropout is off, and a caller that wants a network which draws it is refused before.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from cluster.model_use import CPU, Maker
from trainers import randomness
from trainers.settled import alone
from trainers.ways import CODE, LABEL, PICTURE

COMPARED = 3  # pictures of the training's size that outputs are compared on, at once and one by one
OPSET = 20
OUTPUT = "output"
AXES = {0: "batch", 2: "height", 3: "width"}
Inputs = tuple[Tensor, ...]
Run = Callable[..., Tensor]  # the inputs of a way -> its output


class MissingPackage(RuntimeError):
    """The packages of an extra are not installed."""


@dataclass(frozen=True)
class Exported:
    """worst: the largest difference of an output to the model's, in its range of [-1, 1], over so many pictures."""

    data: bytes
    inputs: Mapping[str, list[str | int]]  # name -> shape; a word where any size will do
    worst: float
    pictures: int


def export(maker: Maker, form: str, about: Mapping[str, str]) -> Exported:
    """`form`, one of FORMATS, with `about` kept in the file. Raises MissingPackage."""
    network = (alone(maker.way.network) if maker.source else maker.network).requires_grad_(False).eval()
    kept = {"inputs": json.dumps(shapes_of(maker)), **about}
    data, run = FORMATS[form](maker, network, kept)
    worst, count = _compare(maker, run)
    return Exported(data, shapes_of(maker), worst, count)


def shapes_of(maker: Maker) -> dict[str, list[str | int]]:
    """The inputs by their names, with their shapes."""
    channels, height, width = maker.shape
    sides: list[str | int] = [height, width] if maker.multiple is None else ["height", "width"]
    known: dict[str, list[str | int]] = {PICTURE: [channels, *sides], CODE: [maker.code], LABEL: [maker.labels]}
    return {name: ["batch", *known[name]] for name in maker.way.inputs}


def _samples(maker: Maker, count: int, height: int, width: int) -> Inputs:
    """Inputs to compare on: noise, codes as they are drawn, and labels in turn."""
    randomness.seed_generators(CPU, "compare", height, width)
    made = {PICTURE: torch.rand(count, maker.shape[0], height, width) * 2 - 1}
    made |= {CODE: maker.way.draw(count)} if maker.way.draw is not None else {}
    made |= {LABEL: torch.eye(maker.labels)[torch.arange(count) % maker.labels]} if maker.labels else {}
    return tuple(made[name] for name in maker.way.inputs)


def _compare(maker: Maker, run: Run) -> tuple[float, int]:
    """The largest difference between a file's outputs and the model's, whose pictures are made one by one; and of how many.

    NaN in either is a difference without bound.
    """
    _, height, width = maker.shape
    sizes = [(COMPARED, height, width), (1, height, width)]
    if maker.source and maker.multiple is not None:
        sizes += [(1, height + maker.multiple, width + 2 * maker.multiple)]
    model = copy.deepcopy(maker.network).eval()  # without dropout, as the file is
    worst = 0.0
    with torch.no_grad():
        for count, high, wide in sizes:
            given = _samples(maker, count, high, wide)
            expected = torch.cat([model(*one) for one in zip(*(part.split(1) for part in given), strict=True)])
            made = run(*given)
            gap = (made - expected).abs() if made.shape == expected.shape else torch.tensor(torch.inf)
            worst = max(worst, float(gap.nan_to_num(nan=torch.inf).max()))
    return worst, sum(count for count, *_ in sizes)


def _safetensors(maker: Maker, network: nn.Module, about: Mapping[str, str]) -> tuple[bytes, Run]:
    """The weights by their names in the network that learned; read back into one that has none."""
    source = maker.way.network if maker.source else network
    weights = {name: value.contiguous().clone() for name, value in source.state_dict().items()}
    data = save(weights, dict(about))
    again = copy.deepcopy(source).to("meta")
    again.load_state_dict(load(data), assign=True)
    return data, (alone(again) if maker.source else again).eval()


def _torchscript(maker: Maker, network: nn.Module, about: Mapping[str, str]) -> tuple[bytes, Run]:
    _, height, width = maker.shape
    file = io.BytesIO()
    with warnings.catch_warnings():
        # Layers ask whether there are pixels enough for a norm, which a trace cannot keep; `_compare` tries other sizes.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]  # it is there, and not in the types
        # TorchScript is no longer developed, and still what C++ programs read.
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is (deprecated|not supported)", DeprecationWarning)
        traced = torch.jit.trace(network, _samples(maker, 2, height, width), check_trace=False)
        torch.jit.save(traced, file, _extra_files={f"{name}.txt": text for name, text in about.items()})
        data = _without_debug(file.getvalue())
        return data, torch.jit.load(io.BytesIO(data), map_location="cpu")


def _without_debug(data: bytes) -> bytes:
    """A TorchScript archive without what only debuggers read: lines of code, with the paths of the machine it was made on."""
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as whole, zipfile.ZipFile(kept, "w") as less:
        for entry in whole.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                less.writestr(entry, whole.read(entry))
    return kept.getvalue()


def _onnx(maker: Maker, network: nn.Module, about: Mapping[str, str]) -> tuple[bytes, Run]:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  # torch.onnx needs it, and says so less clearly
    except ImportError as error:
        raise MissingPackage(f"{error.name} is not installed: pip install 'i2i-cluster[onnx]'") from error
    _, height, width = maker.shape
    # Two of each, and a side that is not the other: what is 1, or the same twice, would be taken for fixed.
    step = maker.multiple or 0
    given = _samples(maker, 2, height, width + step)
    fixed = maker.multiple is None
    axes = tuple(
        {axis: word for axis, word in AXES.items() if axis == 0 or (part.ndim == 4 and not fixed)} for part in given
    )
    with warnings.catch_warnings(), _quiet():
        # Of torch's own copy of its trees of arguments, verified with torch 2.13.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        # The batch is one number, whichever input it is read from.
        warnings.filterwarnings("ignore", r"# The axis name: \w+ will not be used", UserWarning)
        program = torch.onnx.export(
            network,
            given,
            input_names=list(maker.way.inputs),
            output_names=[OUTPUT],
            dynamic_shapes=axes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(about)
    proto = program.model_proto
    for part in (proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.functions):
        del part.metadata_props[:]  # lines of code with the paths of this machine
    data = proto.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])

    def run(*inputs: Tensor) -> Tensor:
        named = {name: part.numpy() for name, part in zip(maker.way.inputs, inputs, strict=True)}
        return torch.from_numpy(session.run([OUTPUT], named)[0])

    return data, run


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch.onnx's lines about operators of packages that are not installed: no network here has any."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


FORMATS: dict[str, Callable[[Maker, nn.Module, Mapping[str, str]], tuple[bytes, Any]]] = {
    "safetensors": _safetensors,
    "torchscript": _torchscript,
    "onnx": _onnx,
}
