"""A run that need not be exact and has no room for its batches: it goes on with smaller ones, and says so for ever after."""

import json
from dataclasses import replace

import pytest
import torch

from cluster import room
from cluster.checkpoints.folder import Checkpoints
from cluster.layout import SweepPaths
from cluster.microbatches import MicroBatches
from cluster.report import TOO_LARGE, Place, Report
from cluster.room import NoRoom, TooLarge, take_less
from cluster.training import train
from cluster.weigh import Weight
from cluster.workers.trial import train_or_tell
from data_shards.errors import DataError
from data_shards.store import open_store
from orchestrator.checkpoints.view import origin
from trainers.engine import Engine
from trainers.errors import NonFiniteError

SHAPES = {"a": (3, 32, 32), "b": (3, 32, 32)}
FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB. GPU 0 has a total capacity of 8 GiB")


@pytest.fixture
def loose(run):
    """Six steps of eight samples on one replica; it need not be exact."""
    data = replace(run.data, batch=8, replicas=1)
    return replace(run, data=data, exact=False, steps=6, every=replace(run.every, evaluate=6, checkpoint=2))


@pytest.fixture
def device(monkeypatch):
    """A device that has no room for more than `device.most` samples at a time from the fourth step on."""

    class Device:
        def __init__(self):
            self.most, self.full_from = 2, 3
            self.sizes: list[tuple[int, int]] = []  # step, and how many samples it took at a time

        def step(self, of, report=False):
            at_once = 8 // of.tree.replicas
            if of.t >= self.full_from and at_once > self.most:
                raise FULL
            self.sizes.append((of.t + 1, at_once))
            honest(of, report)

    made, honest = Device(), Engine.step
    monkeypatch.setattr(Engine, "step", lambda of, report=False: made.step(of, report))
    monkeypatch.setattr(room, "weigh", lambda run, shapes: None)  # nobody can tell what would fit: halves are tried
    return made


def trained(run, place=None):
    told: list[Report] = []
    train(run, place or Place(), lambda report: not told.append(report), lambda: None)  # type: ignore[func-returns-value]
    return told


def newest(run):
    found = Checkpoints(open_store(run.storage), SweepPaths(run.sweep).checkpoints(run.trial)).newest()
    assert found is not None
    return found


def test_it_goes_on_from_its_last_checkpoint_with_half_and_half_again(loose, device):
    told = trained(loose)
    assert (told[-1].outcome, told[-1].step) == ("done", 6)
    assert device.sizes == [(1, 8), (2, 8), (3, 8), (3, 4), (3, 2), (4, 2), (5, 2), (6, 2)]
    notices = [notice for report in told for notice in report.notices]
    assert notices == [
        f"step 4 is out of memory on cpu, {now} samples at a time ({FULL}); on with {then} samples at a time, "
        "since exact: false allows it"
        for now, then in ((8, 4), (4, 2))
    ]
    about = newest(loose).about
    assert about["micro_batches"] == 4
    assert sum(name.endswith(".count") for name in newest(loose).state if name.startswith("pool.")) == 2 * 4
    kept = json.loads(open_store(loose.storage).read(SweepPaths(loose.sweep).micro_batches(loose.trial)))
    assert kept == {"parts": 4, "why": notices[1]}


def test_what_came_before_the_first_report_is_told_with_it(loose, device, monkeypatch):
    device.most, device.full_from = 2, 0
    told = trained(replace(loose, every=replace(loose.every, report=2)))
    assert [len(report.notices) for report in told if report.notices] == [2]


def test_a_later_attempt_begins_with_what_fits(loose, device):
    trained(replace(loose, steps=4))
    device.sizes.clear()
    trained(loose, Place(attempt=1))
    assert device.sizes == [(5, 2), (6, 2)]


@pytest.mark.parametrize(
    "written", ['{"parts": 3, "why": ""}', '{"parts": 16, "why": ""}', '{"parts": true, "why": ""}']
)
def test_parts_that_there_are_not_are_refused(loose, written):
    kept = MicroBatches.of(loose)
    kept.store.write(kept.path, written.encode())
    with pytest.raises(
        DataError, match=r"micro-batches\.json asks for \S+ parts of 8 samples, which there are not: delete"
    ):
        trained(loose)


@pytest.mark.parametrize("written", ["", "[]", "{}", "x", '"parts"'])
def test_a_damaged_file_of_parts_is_named(loose, written):
    kept = MicroBatches.of(loose)
    kept.store.write(kept.path, written.encode())
    with pytest.raises(DataError, match=r"micro-batches\.json is damaged: delete it, and the trial begins with whole"):
        trained(loose)


def test_memory_that_an_evaluation_lacks_is_no_reason_for_smaller_batches(loose, monkeypatch):
    def lacking(*of):
        raise FULL

    monkeypatch.setattr("cluster.training.evaluate", lacking)
    with pytest.raises(torch.OutOfMemoryError):
        trained(loose)
    assert MicroBatches.of(loose).read() == (1, "")


def test_halving_before_the_first_checkpoint_after_a_retreat_keeps_the_retreat(loose, device, monkeypatch):
    honest = Engine.settle

    def broken(of):
        honest(of)
        if of.t == 4 and not of.retreats:
            raise NonFiniteError(3, ["loss"])

    monkeypatch.setattr(Engine, "settle", broken)
    run = replace(loose, on_nonfinite="rollback", every=replace(loose.every, checkpoint=2))
    device.most, device.full_from = 4, 2
    told = trained(run)
    assert told[-1].outcome == "done"
    assert newest(run).state["counter.retreats"].tolist() == [2]


def test_going_back_to_larger_ones_stands_in_its_history(loose, device):
    trained(replace(loose, steps=4))
    kept = MicroBatches.of(loose)
    kept.store.delete(kept.path)
    device.most = 8
    trained(loose, Place(attempt=1))
    assert [one["inexact"] for one in newest(loose).about["history"]][-1] == ["micro_batches 4, now 1"]


def test_an_exact_run_takes_no_smaller_ones_even_where_they_are_asked_for(loose, device):
    trained(replace(loose, steps=4))
    told: list[Report] = []
    again = replace(loose, exact=True, trial=1)
    MicroBatches.of(again).write(4, "by hand")
    assert not train_or_tell(again, Place(), lambda report: not told.append(report))  # type: ignore[func-returns-value]
    assert told[-1].outcome == TOO_LARGE


def test_where_one_sample_is_too_many_it_ends(loose, device):
    device.most = 0
    told: list[Report] = []
    assert not train_or_tell(loose, Place(), lambda report: not told.append(report))  # type: ignore[func-returns-value]
    assert told[-1].outcome == TOO_LARGE
    error = told[-1].error or ""
    assert error.startswith("step 4 is out of memory on cpu, 1 sample at a time (")
    assert error.endswith("; no smaller batch at a time would help: take smaller pictures or networks")


def test_a_device_that_is_known_to_have_no_room_for_half_is_not_asked(loose, monkeypatch):
    weights = {1: 800, 2: 400, 4: 200, 8: 100}
    monkeypatch.setattr(room, "free_memory", lambda: 250)
    monkeypatch.setattr(room, "weigh", lambda run, shapes: Weight(1, 1, weights[run.data.replicas]))
    notice = take_less(loose, 1, SHAPES, torch.device("cpu"), NoRoom(4, FULL))
    assert "; on with 2 samples at a time" in notice
    assert MicroBatches.of(loose).read()[0] == 4
    monkeypatch.setattr(room, "free_memory", lambda: 50)
    with pytest.raises(TooLarge):
        take_less(loose, 4, SHAPES, torch.device("cpu"), NoRoom(4, FULL))


def test_of_several_workers_the_one_that_has_no_room_ends_and_all_begin_anew_with_less(loose, monkeypatch):
    def full(training, retreat):  # nobody is there to talk with: it does not come to its first step
        raise NoRoom(1, FULL)

    monkeypatch.setattr("cluster.training._Training.go", full)
    run = replace(loose, data=replace(loose.data, replicas=2))
    with pytest.raises(torch.OutOfMemoryError):
        train(run, Place(rank=1, workers=2), lambda report: True, lambda: None)
    assert MicroBatches.of(run).read()[0] == 2


def test_its_checkpoints_say_so(loose, device):
    trained(loose)
    assert origin(newest(loose))["micro_batches"] == "a replica's batch in 4 parts, for want of memory"
    trained(replace(loose, trial=1, steps=2))
    assert "micro_batches" not in origin(newest(replace(loose, trial=1)))
