"""`draw` with models that were made, not trained: pictures from noise, of classes and of texts."""

import json
from pathlib import Path

import numpy as np
import pytest

from cluster.model import Model
from orchestrator.errors import Refusal
from orchestrator.models.draw import Wanted, of_texts
from tests.orchestrator.models import SIDE, pixels_of, stored
from tests.trainers import worlds


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """sweeps("dcgan"): the folder of a sweep with a model, made once."""
    made = {}

    def sweep(system):
        if system not in made:
            made[system] = stored(tmp_path_factory.mktemp(system), system)
        return made[system]

    return sweep


def drawn(folder):
    return {file.name: pixels_of(file).astype(int) for file in sorted(folder.iterdir())}


def test_a_code_has_one_picture_however_many_are_drawn(run, sweeps, tmp_path):
    sweep = sweeps("dcgan")
    code, out, _ = run("draw", sweep, tmp_path / "few", "--codes", 3, "--strip")
    assert (code, out) == (0, f"drew 3 pictures to {tmp_path}/few at 32 x 32 pixels\n")
    run("draw", sweep, tmp_path / "many", "--codes", 40)
    few, many = drawn(tmp_path / "few"), drawn(tmp_path / "many")
    assert list(few) == ["code-000.png", "code-001.png", "code-002.png", "code-strip.png"]
    assert len(many) == 40 and not np.array_equal(many["code-000.png"], many["code-001.png"])
    for name in list(few)[:3]:
        assert np.abs(few[name] - many[name]).max() <= 1, "beside others rounding may differ, and nothing else"
    assert few["code-strip.png"].shape == (SIDE, 3 * SIDE + 2 * 4, 3)


def test_codes_are_walked_between_and_added(run, sweeps, tmp_path):
    sweep = sweeps("dcgan")
    run("draw", sweep, tmp_path / "codes", "--codes", 3)
    codes = drawn(tmp_path / "codes")
    run("draw", sweep, tmp_path / "walk", "--interpolate", 5)
    walk = drawn(tmp_path / "walk")
    assert np.abs(walk["code-000.png"] - codes["code-000.png"]).max() <= 1
    assert np.abs(walk["code-004.png"] - codes["code-001.png"]).max() <= 1
    code, out, _ = run("draw", sweep, tmp_path / "mix", "--mix", "2-1+1", "-o", "json")
    assert code == 0
    assert [o.get("code", o.get("sum")) for o in json.loads(out)["outputs"]] == [2, 1, 1, "2-1+1"]
    mix = drawn(tmp_path / "mix")
    assert np.abs(mix["code-003.png"] - codes["code-002.png"]).max() <= 1, "z2 - z1 + z1 is z2"


def test_both_domains_of_a_pair_have_the_same_code(run, sweeps, tmp_path):
    made = {}
    for to in ("a", "b"):
        assert run("draw", sweeps("cogan"), tmp_path / to, "--codes", 2, "--to", to)[0] == 0
        made[to] = drawn(tmp_path / to)
    assert not np.array_equal(made["a"]["code-000.png"], made["b"]["code-000.png"])


def test_classes_are_drawn_by_name_and_all_without_one(run, sweeps, tmp_path):
    run("draw", sweeps("cgan"), tmp_path / "all", "--codes", 2)
    assert list(drawn(tmp_path / "all")) == [f"{name}-00{i}.png" for name in ("cat", "dog", "owl") for i in range(2)]
    run("draw", sweeps("cgan"), tmp_path / "owl", "--codes", 2, "--class", "owl")
    owl = drawn(tmp_path / "owl")
    assert list(owl) == ["owl-000.png", "owl-001.png"]
    assert np.array_equal(owl["owl-001.png"], pixels_of(tmp_path / "all" / "owl-001.png"))


def test_texts_are_drawn_each_with_the_same_noise():
    model = Model(worlds.build("stackgan"), worlds.SHAPES, {})
    rows = of_texts(model, Wanted(Path("out"), codes=2, texts=("red hat", "owl", "hat red")))
    assert [row.name for row in rows] == ["text-0", "text-1", "text-2"]
    assert rows[0].records == ({"text": "red hat", "code": 0}, {"text": "red hat", "code": 1})
    assert not np.array_equal(rows[0].pictures[0], rows[0].pictures[1])
    again = of_texts(model, Wanted(Path("out"), codes=1, texts=("red hat", "owl", "hat red")))
    assert np.array_equal(again[1].pictures[0], rows[1].pictures[0])
    for wanted, line in (
        (Wanted(Path("out")), "--text: stackgan draws pictures of texts: give one, or several"),
        (
            Wanted(Path("out"), texts=("owl",), mix="0-1"),
            "--mix: stackgan draws of texts, and its noise is a part of how it reads them",
        ),
    ):
        with pytest.raises(Refusal) as caught:
            of_texts(model, wanted)
        assert str(caught.value) == line


@pytest.mark.parametrize(
    ("system", "more", "line"),
    [
        ("cyclegan", (), "SWEEP: cyclegan makes no pictures from noise; `i2i-cluster translate` does"),
        ("dcgan", ("--class", "cat"), "--class: dcgan knows no classes"),
        ("dcgan", ("--text", "a cat"), "--text: dcgan reads no texts"),
        ("dcgan", ("--to", "a"), "--to: this model does not draw 'a'; has: b"),
        ("dcgan", ("--mix", "0--1"), "--mix: cannot be '0--1': numbers of codes with + and - between them, as 0-1+2"),
        ("dcgan", ("--mix", "0-1", "--interpolate", "3"), "--mix: is not asked for beside --interpolate"),
        ("dcgan", ("--interpolate", "1"), "--interpolate: must be 2 or more"),
        ("cgan", ("--class", "owll"), "--class: this model knows no 'owll'; nearest: owl; has: cat, dog, owl"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_a_line(run, sweeps, tmp_path, system, more, line):
    code, out, err = run("draw", sweeps(system), tmp_path / "out", *more)
    assert (code, out, err) == (2, "", f"error: {line}\n")
    assert not (tmp_path / "out").exists()
