"""Checkpoints committed beside the training: never two at once, never a failure that nobody hears of."""

import errno
import os
import threading

import pytest

from cluster.checkpoints.committer import Committer
from cluster.checkpoints.folder import Checkpoints, Superseded
from data_shards.errors import DataError, Unreachable
from data_shards.store import FolderStore
from tests.cluster.checkpointing import FOLDER, is_whole, state


class Gated(FolderStore):
    """Its manifests wait until they are let in; `fails` is raised in place of one."""

    def __init__(self, root):
        super().__init__(root)
        self.reached, self.open = threading.Event(), threading.Event()
        self.open.set()
        self.fails = None

    def write(self, path, data):
        self.reached.set()
        assert self.open.wait(60)
        if self.fails is not None:
            raise self.fails
        super().write(path, data)


@pytest.fixture
def store(tmp_path):
    return Gated(tmp_path)


@pytest.fixture
def committer(store):
    """A committer, closed at the end."""
    made = Committer(Checkpoints(store, FOLDER, 1))
    yield made
    store.open.set()
    made.close()


def test_a_commit_returns_while_it_is_written_and_the_next_one_is_left_out(store, committer):
    store.open.clear()
    assert committer.commit(state(10), 10, {"said": 10}, 0.5)
    assert store.reached.wait(60)
    assert committer.busy
    assert not committer.wait(0.01)
    assert committer.checkpoints.steps() == []
    assert not committer.commit(state(20), 20, {})
    store.open.set()
    assert committer.wait()
    assert not committer.busy
    assert committer.commit(state(30), 30, {})
    assert committer.wait(60)
    assert committer.checkpoints.steps() == [10, 30]
    found = committer.checkpoints.load(10)
    assert is_whole(found) and found.about == {"said": 10, "score": 0.5}
    metrics = committer.metrics()
    assert metrics.pop("checkpoint/written_seconds") > metrics.pop("checkpoint/seconds") > 0
    assert metrics == {
        "checkpoint/failed": 0,
        "checkpoint/skipped": 1,
        "checkpoint/written": 2,
        "checkpoint/written_bytes": 2 * (64 * 4 + 8),
        "checkpoint/step": 30,
        "checkpoint/bytes": 64 * 4 + 8,
    }


def test_a_committer_counts_on_from_the_one_before(store, committer):
    committer.commit(state(10), 10, {})
    committer.close()
    second = Committer(committer.checkpoints, committer.metrics())
    second.commit(state(20), 20, {})
    second.close()
    assert second.metrics()["checkpoint/written"] == 2


def test_the_end_waits_for_what_is_being_written(store):
    committer = Committer(Checkpoints(store, FOLDER, 1))
    store.open.clear()
    committer.commit(state(10), 10, {})
    assert store.reached.wait(60)
    closing = threading.Thread(target=committer.close)
    closing.start()
    store.open.set()
    closing.join(60)
    assert not closing.is_alive()
    assert committer.checkpoints.steps() == [10]
    assert not [thread for thread in threading.enumerate() if thread.name == "committer"]


def test_the_end_does_not_wait_for_ever(store, monkeypatch, caplog):
    monkeypatch.setattr("cluster.checkpoints.committer.GOODBYE_S", 0.01)
    committer = Committer(Checkpoints(store, FOLDER, 1))
    store.open.clear()
    committer.commit(state(10), 10, {})
    assert store.reached.wait(60)
    committer.close()
    assert "given up" in caplog.text
    store.open.set()
    assert committer.wait(60)


def full(problem):
    advice = "free some, or keep fewer checkpoints (i2i-cluster checkpoints prune)"
    return lambda uri: f"{problem} in {uri}; {advice}"


FAILURES = {
    "disk full": (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), full("no space is left")),
    "quota": (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), full("the quota is used up")),
    "no answer": (Unreachable("s3://b/x: no success\nwithin 300 s"), lambda uri: "s3://b/x: no success within 300 s"),
    "denied": (DataError("s3://b/x: access denied"), lambda uri: "s3://b/x: access denied"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_told_once_and_the_next_checkpoint_is_tried(store, committer, failure):
    store.fails, told = FAILURES[failure]
    committer.commit(state(10), 10, {})
    assert committer.wait()
    assert committer.take_failures() == (f"the checkpoint of step 10 could not be written: {told(store.uri)}",)
    assert committer.take_failures() == ()
    assert {name: value for name, value in committer.metrics().items() if value} == {"checkpoint/failed": 1}
    store.fails = None
    committer.commit(state(20), 20, {})
    assert committer.wait()
    assert committer.checkpoints.steps() == [20]
    assert committer.take_failures() == ()


def test_what_goes_beside_a_checkpoint_is_written_after_it(store, committer):
    store.open.clear()
    committer.commit(state(10), 10, {}, beside={"s/trials/0000/grids/step-00000010.png": b"picture"})
    assert store.reached.wait(60)
    assert not store.exists("s/trials/0000/grids/step-00000010.png")
    store.open.set()
    assert committer.wait()
    assert store.read("s/trials/0000/grids/step-00000010.png") == b"picture"
    store.fails = OSError(errno.EIO, os.strerror(errno.EIO))
    committer.commit(state(20), 20, {}, beside={"picture.png": b"picture"})
    assert committer.wait()
    assert not store.exists("picture.png"), "no picture of what is not there"
    assert len(committer.take_failures()) == 1


def test_failures_outlive_the_end(store):
    committer = Committer(Checkpoints(store, FOLDER, 1))
    store.fails = OSError(errno.EIO, os.strerror(errno.EIO))
    committer.commit(state(10), 10, {})
    committer.close()
    told = "the checkpoint of step 10 could not be written: [Errno 5] Input/output error"
    assert committer.take_failures() == (told,)


def test_a_superseded_one_says_so_from_then_on(store, committer):
    Checkpoints(store, FOLDER, 2).begin()
    assert committer.commit(state(10), 10, {})
    for ask in (committer.wait, committer.wait, lambda: committer.commit(state(20), 20, {})):
        with pytest.raises(Superseded, match=r"attempt 2 went on from step 0, so attempt 1 must save nothing more"):
            ask()
    assert committer.take_failures() == ()
    assert committer.checkpoints.steps() == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_does_not_leave_anybody_waiting(committer):
    committer.commit(state(10), 10, {"not": object()})
    for ask in (committer.wait, lambda: committer.commit(state(20), 20, {})):
        with pytest.raises(RuntimeError, match=r"the checkpoint of step 10 met a mistake of ours; its traceback is in"):
            ask()


def test_the_state_is_let_go_once_it_is_written(committer):
    import weakref

    handed = state(10)
    seen = weakref.ref(handed["model.w"])
    committer.commit(handed, 10, {})
    del handed
    assert committer.wait()
    assert seen() is None
