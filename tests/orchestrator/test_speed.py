"""Which arithmetic is the fastest: what is tried, how it is compared, and what is said of it."""

import json
from itertools import product
from pathlib import Path

import pytest
import torch

from cluster import speed as timing
from cluster.speed import Course, Way, device_of, take_turn, ways
from orchestrator.planning.speed import advice

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
OWN = Way("fp32", "contiguous", False)
TINY = "system: pix2pix\nhyper: {width: 4, levels: 3, critic: patch16, critic_width: 4}\ndata: {batch: 2, image: 16}\n"


@pytest.fixture
def run_of(planned):
    def make(text=TINY):
        plan = planned(text)
        return plan.run(0, plan.params(0)), plan.data.shapes(16)

    return make


def test_every_way_that_a_machine_has_is_tried_and_the_file_s_own_first(run_of, monkeypatch):
    run, _ = run_of()
    monkeypatch.setattr(timing, "lacking", dict)
    layouts = ("contiguous", "channels_last")
    assert set(ways(run, CPU, True)) == {Way(*w) for w in product(("fp32", "bf16"), layouts, (False, True))}
    assert ways(run, CPU, False)[0] == OWN and len(ways(run, CPU, False)) == 4
    monkeypatch.setattr(timing, "lacking", lambda: {"bf16": "no units", "compile": "no g++"})
    assert ways(run, CPU, True) == [OWN, Way("fp32", "channels_last", False)]
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert {way.precision for way in ways(run, CUDA, True)} == {"fp32", "tf32", "bf16"}
    assert not any(way.compile for way in ways(run, CUDA, True))
    monkeypatch.setattr(timing, "lacking", dict)
    assert {(way.compile, way.graphs) for way in ways(run, CUDA, True)} == {(False, False), (True, False), (True, True)}
    own = run_of(TINY + "layout: channels_last")[0]
    assert ways(own, CPU, True)[0] == Way("fp32", "channels_last", False)


def test_a_gpu_is_asked_for_and_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of(0.5) == CUDA and device_of(0.0) == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of(1.0) == CPU


def test_a_turn_times_steps_and_leaves_nothing_behind(run_of):
    course = Course(Way("bf16", "channels_last", False))
    run, shapes = run_of()
    for _ in range(2):
        take_turn(course, run, shapes, CPU, steps=2)
    assert len(course.seconds) == 2 and min(course.seconds) > 0 and not course.problem
    assert torch.are_deterministic_algorithms_enabled() is False


def test_what_cannot_be_tried_says_why(run_of, monkeypatch):
    def no_room(run, shapes):
        raise RuntimeError("not enough memory: 9 GB were asked for\nand more of it")

    monkeypatch.setattr(timing, "build_system", no_room)
    course = Course(OWN)
    run, shapes = run_of()
    take_turn(course, run, shapes, CPU, steps=1)
    assert course.problem == "not enough memory: 9 GB were asked for" and course.seconds == []


def test_rounds_are_compared_with_the_same_round_of_the_file_s_own_way():
    usual, other = Course(OWN, [1.0, 8.0, 2.0]), Course(OWN, [0.5, 2.0, 2.0])
    assert other.speedup(usual) == (2.0, 1.0, 4.0)


COARSE, PACKED = Way("bf16", "contiguous", False), Way("fp32", "channels_last", True)
LOOK = "; networks then multiply with 8 bits, of 24 in fp32: compare a score before a long training"


@pytest.mark.parametrize(
    ("courses", "lines"),
    [
        ([Course(OWN, [1.0])], ["fastest: as the file has it"]),
        ([Course(OWN, [1.0]), Course(PACKED, [0.99])], ["fastest: as the file has it"]),
        (
            [Course(OWN, [1.0]), Course(PACKED, [0.5])],
            ["fastest, 2.00 times: `layout: channels_last`, `compile: true`"],
        ),
        (
            [Course(OWN, [1.0]), Course(COARSE, [0.5])],
            ["fastest in the same precision: as the file has it", f"fastest, 2.00 times: `precision: bf16`{LOOK}"],
        ),
        (
            [Course(OWN, [1.0]), Course(COARSE, [0.5]), Course(PACKED, [0.8])],
            [
                "fastest in the same precision, 1.25 times: `layout: channels_last`, `compile: true`",
                f"fastest, 2.00 times: `precision: bf16`{LOOK}",
            ],
        ),
    ],
)
def test_what_to_write_is_said(courses, lines):
    assert advice(courses, courses[0]) == lines


def test_the_command_prints_what_it_timed(run, values, tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text(json.dumps(values(TINY)))
    code, out, err = run("speed", file, "--rounds", "1", "--steps", "1", "--no-compile", "-o", "json")
    told = json.loads(out)
    assert code == 0 and "steps each" in err
    assert (told["batch"], told["device"]) == (2, "cpu")
    first = told["ways"][0]
    assert (first["precision"], first["layout"], first["compile"]) == ("fp32", "contiguous", False)
    assert first["times_as_fast"] == {"median": 1.0, "least": 1.0, "most": 1.0}
    assert first["step_seconds"] > 0 and {"fp32"} <= {way["precision"] for way in told["ways"]}
    code, out, _ = run("speed", file, "--rounds", "1", "--steps", "1", "--no-compile")
    assert code == 0 and "as the file has it" in out and "fastest" in out


def test_a_wrong_file_is_refused_before_anything_is_timed(run, values, tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text(json.dumps(values("precision: tf32")))
    code, out, err = run("speed", file)
    assert (code, out) == (2, "")
    assert "precision: tf32 needs a GPU, and the workers have none" in err
    assert Path(file).exists()
