"""A step that has no room in memory: the trial ends, is told what would fit, and nobody tries it again."""

import re
from dataclasses import replace

import pytest
import torch

from cluster import room
from cluster.report import TOO_LARGE, Place, Report
from cluster.room import Room, is_out_of_memory
from cluster.weigh import weigh
from cluster.workers.trial import train_or_tell
from tests.cluster.conducting import started
from trainers.engine import Engine
from trainers.systems.cyclegan import CycleGAN

SHAPES = {"a": (3, 32, 32), "b": (3, 32, 32)}
CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB. GPU 0 has a total capacity of 8 GiB")
CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes. "
    "Error code 12 (Cannot allocate memory)"
)


def taking(run, replicas):
    """Bytes that a step of so many replicas takes at most."""
    weight = weigh(replace(run, data=replace(run.data, replicas=replicas)), SHAPES)
    assert weight is not None
    return weight.memory


@pytest.fixture
def whole(run):
    """Eight samples at a time, computed again on the way back: the last thing that helps and is the same training."""
    return replace(run, data=replace(run.data, batch=8, replicas=1), recompute=True)


@pytest.fixture
def told_of(monkeypatch):
    """What a run tells whose third step raises an error."""

    def train(run, error):
        step = Engine.step

        def broken(self, report=False):
            if self.t == 2:
                raise error
            step(self, report)

        monkeypatch.setattr(Engine, "step", broken)
        told: list[Report] = []
        trained = train_or_tell(run, Place(), lambda report: not told.append(report))  # type: ignore[func-returns-value]
        return trained, told[-1]

    return train


def test_an_error_of_memory_is_known():
    assert is_out_of_memory(CUDA) and is_out_of_memory(CPU)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_more_replicas_take_less_at_a_time(whole):
    assert taking(whole, 8) < taking(whole, 4) < taking(whole, 2) < taking(whole, 1)


@pytest.mark.parametrize(
    ("fewest", "even", "room_of", "told"),
    [
        (1, False, 2, "data.replicas: 2, which takes about "),
        (1, False, 4, "data.replicas: 4, which takes about "),
        (1, False, 8, "data.replicas: 8, which takes about "),
        (2, False, 8, "no smaller batch at a time would help"),
        (2, True, 4, "data.replicas: 4, which takes about "),
        (1, True, 8, "no smaller batch at a time would help"),
    ],
)
def test_the_smallest_number_that_fits_and_that_the_system_takes(
    whole, told_of, monkeypatch, fewest, even, room_of, told
):
    monkeypatch.setattr(CycleGAN, "min_per_replica", fewest)
    monkeypatch.setattr(CycleGAN, "even", even)
    monkeypatch.setattr(room, "free_memory", lambda: taking(whole, room_of))
    _, report = told_of(whole, CUDA)
    assert f"; {told}" in report.error


def test_where_nobody_can_tell_what_a_step_takes_that_is_not_claimed(whole, told_of, monkeypatch):
    monkeypatch.setattr(room, "weigh", lambda run, shapes: None)
    _, report = told_of(whole, CUDA)
    assert report.error.endswith(
        "; data.replicas: 2 takes less at a time, as another training; so do smaller pictures or networks"
    )


def test_memory_that_others_hold_is_waited_for(whole, told_of, monkeypatch):
    monkeypatch.setattr(room, "room_on", lambda device: Room(whole=taking(whole, 1), ours=taking(whole, 1) - 1))
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):  # a crash, which is tried again
        told_of(whole, CUDA)


@pytest.mark.parametrize(("error", "said"), [(CUDA, "CUDA out of memory"), (CPU, r"\[enforce fail at alloc_cpu")])
def test_the_trial_ends_and_names_what_would_fit(whole, told_of, monkeypatch, error, said):
    monkeypatch.setattr(room, "free_memory", lambda: taking(whole, 4))
    trained, report = told_of(whole, error)
    assert not trained and report.outcome == TOO_LARGE
    assert report.error.startswith("step 3 is out of memory on cpu, 8 samples at a time (")
    assert re.search(said, report.error)
    assert "; data.replicas: 4, which takes about " in report.error
    assert report.error.endswith(" should fit, as another training: set it, or take smaller pictures or networks")


def test_where_computing_again_is_enough_that_is_said_first(whole, told_of, monkeypatch):
    monkeypatch.setattr(room, "free_memory", lambda: taking(whole, 1))
    kept = replace(whole, recompute=False)
    assert taking(kept, 1) > taking(whole, 1)
    _, report = told_of(kept, CUDA)
    assert "; recompute: true, which takes about " in report.error
    how = f"`i2i-cluster retry {kept.sweep} {kept.trial} --recompute --storage {kept.storage}` goes on with it"
    assert report.error.endswith(f" should fit and changes no bit: {how}")


def test_where_nothing_fits_that_is_said(whole, told_of, monkeypatch):
    monkeypatch.setattr(room, "free_memory", lambda: 1000)
    _, report = told_of(whole, CUDA)
    assert "; no smaller batch at a time would help: take smaller pictures or networks" in report.error


def test_another_error_is_left_as_it_is(whole, told_of):
    with pytest.raises(RuntimeError, match=r"^shapes do not match$"):
        told_of(whole, RuntimeError("shapes do not match"))


def test_it_is_not_tried_again_and_the_others_go_on(sweep):
    conductor = sweep.attempt(trials=2, failures=5)
    assert started(conductor) == [0, 1]
    conductor.ended(0, TOO_LARGE, "step 1 is out of memory")
    assert started(conductor) == [] and conductor.state.trials[0].state == "failed"
    conductor.ended(1, "done", None)
    assert conductor.close() == "done"
