"""`export`: what is written computes what the model does, says what it is, and is not written otherwise."""

import json
import os
import re
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from cluster import model_export
from cluster.model import load_best
from cluster.model_use import Maker
from data_shards.store import open_store
from orchestrator.models.export import Order, export
from tests.orchestrator.models import LICENSE, picture, pixels_of, stored

PAGE = Path(__file__).parents[2] / "docs" / "using-models.md"


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """sweeps("cyclegan"): the folder of a sweep with a model, made once."""
    made = {}

    def sweep(system, **hyper):
        key = (system, *hyper.items())
        if key not in made:
            made[key] = stored(tmp_path_factory.mktemp(system), system, **hyper)
        return made[key]

    return sweep


def model_in(sweep):
    return load_best(open_store(str(sweep.parent)), sweep.name)


def says_where(content):
    """Whether bytes name the folder of the code, as a trace of lines does."""
    return str(PAGE.parents[1]).encode() in content


def inputs(sweep, count, height, width):
    """Inputs that the comparison in the product never saw."""
    maker, generator = Maker(model_in(sweep), "b"), torch.Generator().manual_seed(9)
    given = [torch.rand(count, 3, height, width, generator=generator) * 2 - 1]
    return maker, [*given, *([torch.randn(count, maker.code, generator=generator)] if maker.code else [])]


@pytest.fixture(scope="module")
def session(sweeps, tmp_path_factory):
    """session("cyclegan"): its export as ONNX Runtime reads it, made once, and the file."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    made: dict[str, Path] = {}

    def of(system, **hyper):
        file = made.setdefault(system, tmp_path_factory.mktemp(system) / "model.onnx")
        if not file.exists():
            export(
                str(sweeps(system, **hyper)), "", Order(file, "onnx", None, 1e-5, without_dropout=True), as_json=False
            )
        return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]), file

    return of


@pytest.mark.parametrize(
    ("system", "hyper"),
    [("pix2pix", {"norm": "batch"}), ("cyclegan", {}), ("bicyclegan", {})],
    ids=lambda value: str(value),
)
def test_onnx_gives_what_the_model_gives_at_any_batch_and_size(sweeps, session, system, hyper):
    ready, file = session(system, **hyper)
    assert not says_where(file.read_bytes())
    shapes = {one.name: one.shape for one in ready.get_inputs()}
    assert shapes["picture"] == ["batch", 3, "height", "width"]
    assert shapes.get("code") == (["batch", 3] if system == "bicyclegan" else None)
    assert ready.get_modelmeta().custom_metadata_map["system"] == system
    for size in ((2, 32, 32), (1, 48, 64)):
        maker, given = inputs(sweeps(system, **hyper), *size)
        network = maker.network.eval()
        with torch.no_grad():
            expected = torch.cat([network(*one) for one in zip(*(part.split(1) for part in given), strict=True)])
        (made,) = ready.run(None, {name: part.numpy() for name, part in zip(shapes, given, strict=True)})
        np.testing.assert_allclose(made, expected.numpy(), rtol=0, atol=1e-5)


def test_the_page_s_example_paints_what_translate_does(run, sweeps, session, tmp_path, monkeypatch):
    _, file = session("cyclegan")
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    picture(tmp_path / "drawing.png", 64, 32)
    shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert run("translate", sweeps("cyclegan"), "drawing.png", "out", "--size", "keep")[0] == 0
    painted, translated = pixels_of(tmp_path / "painted.png"), pixels_of(tmp_path / "out" / "drawing.png")
    assert np.abs(painted.astype(int) - translated).max() <= 1


# The test reads what it wrote as a user does, who is told that TorchScript is no longer developed.
@pytest.mark.filterwarnings("ignore:.torch.jit.load. is:DeprecationWarning")
@pytest.mark.parametrize("system", ["bicyclegan", "munit", "unit", "stargan", "cgan", "srgan", "cogan"])
def test_torchscript_and_safetensors_round_trip(run, sweeps, tmp_path, system):
    sweep = sweeps(system)
    for form in ("torchscript", "safetensors"):
        code, out, _ = run("export", sweep, tmp_path / f"made.{form}", "--format", form, "--to", "b", "-o", "json")
        assert code == 0
        told = json.loads(out)
        assert told["compared"]["worst"] <= 1e-4 and told["compared"]["pictures"] >= 4
        assert (tmp_path / f"made.{form}.md").exists()
    maker = Maker(model_in(sweep), "b")
    weights = load_file(tmp_path / "made.safetensors")
    if maker.source:
        assert weights.keys() == maker.way.network.state_dict().keys()
    with safe_open(tmp_path / "made.safetensors", "pt") as file:
        assert json.loads(file.metadata()["inputs"]) == told["inputs"]
    with zipfile.ZipFile(tmp_path / "made.torchscript") as archive:
        assert not any(says_where(archive.read(name)) for name in archive.namelist())
    traced = torch.jit.load(str(tmp_path / "made.torchscript"))
    sizes = {"picture": (3, *maker.shape[1:]), "code": (maker.code,), "label": (maker.labels,)}
    given = [torch.rand(5, *sizes[name]) for name in maker.way.inputs]
    with torch.no_grad():
        expected = torch.cat([maker.network(*one) for one in zip(*(part.split(1) for part in given), strict=True)])
    torch.testing.assert_close(traced(*given), expected, rtol=0, atol=1e-4)


def test_the_card_says_what_is_known_and_leaves_the_rest_open(run, sweeps, tmp_path):
    sweep = sweeps("cyclegan")
    code, out, _ = run("export", sweep, tmp_path / "made.pt", "--format", "torchscript")
    assert code == 0
    assert out.startswith("compared on 5 inputs: outputs differ by ")
    assert out.endswith(f" and {tmp_path}/made.pt.md\n")
    card, model = (tmp_path / "made.pt.md").read_text(), model_in(sweep)
    for part in (
        "# made.pt\n",
        "Unpaired Image-to-Image Translation",
        "| `picture` | `batch x 3 x height x width` |",
        "Sides are multiples of 4; it was trained with 32 x 32 pixels.",
        f"| licence and attribution | {LICENSE} |",
        f"SHA-256 `{model.card['run']['data']['manifest']}`",
        f"SHA-256 `{model.card['digest']}`",
        "| `eval/accuracy` | 0.75 |",
        "- licence of the weights: *not stated",
    ):
        assert part in card


@pytest.mark.parametrize(
    ("system", "more", "line"),
    [
        ("pix2pix", (), "--format: pix2pix draws dropout when it translates, which no file does as it does; add "
         "--without-dropout for a network without, whose pictures are others"),
        ("cyclegan", ("--to", "c"), "--to: this model makes no pictures of 'c'; has: b, a"),
        ("cyclegan", ("--format", "torchscript", "--trial", "4"), "--trial: sweep made has no trial 4; has: 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_told_in_a_line(run, sweeps, tmp_path, system, more, line):
    assert run("export", sweeps(system), tmp_path / "made", *more) == (2, "", f"error: {line}\n")
    assert not list(tmp_path.glob("made*"))


def test_places_that_no_file_can_be_are_told(run, sweeps, tmp_path):
    sweep = sweeps("cyclegan")
    assert run("export", sweep, tmp_path)[2] == f"error: OUT: {tmp_path} is a folder; name a file\n"
    line = f"error: OUT: {tmp_path}/no is no folder; make it first\n"
    assert run("export", sweep, tmp_path / "no" / "made.onnx")[2] == line


def test_a_file_that_computes_something_else_is_not_written(run, sweeps, tmp_path, monkeypatch):
    def wrong(maker, network, about):
        return b"", lambda *given: network(*given) + 0.25

    monkeypatch.setitem(model_export.FORMATS, "onnx", wrong)
    code, out, err = run("export", sweeps("cyclegan"), tmp_path / "made.onnx", "--tolerance", "0.1")
    assert (code, out, err) == (
        2, "", "error: --tolerance: outputs differ from the model's by 0.25, and 0.1 is allowed; nothing was written\n"
    )  # fmt: skip
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(model_export.FORMATS, "onnx", lambda *_: (b"", lambda x: x * torch.nan))
    assert "differ from the model's by inf" in run("export", sweeps("cyclegan"), tmp_path / "made.onnx")[2]


def test_without_the_packages_of_the_extra_it_says_which(run, sweeps, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    code, _, err = run("export", sweeps("cyclegan"), tmp_path / "made.onnx")
    assert (code, err) == (2, "error: --format: onnxscript is not installed: pip install 'i2i-cluster[onnx]'\n")


def test_what_could_only_fail_at_the_end_is_refused_before_the_work(run, sweeps, tmp_path, monkeypatch):
    sweep = sweeps("cyclegan")
    line = "error: --tolerance: must be a finite number, not inf\n"
    assert run("export", sweep, tmp_path / "made.onnx", "--tolerance", "inf") == (2, "", line)
    monkeypatch.setattr("os.access", lambda path, mode: mode == os.R_OK)
    line = f"error: OUT: {tmp_path} may not be written; give another folder\n"
    assert run("export", sweep, tmp_path / "made.onnx") == (2, "", line)
    assert not list(tmp_path.iterdir())
