"""The request to stop: seen at once in a folder, looked for now and then in a remote store, and never in the way."""

import threading

import pytest

from cluster.stop import LOOK_S, StopRequest
from data_shards.errors import Unreachable
from data_shards.store import FolderStore
from tests.cluster.conducting import RemoteStore


class SlowStore(RemoteStore):
    """Answers when it is let to, and counts the questions."""

    def __init__(self, root):
        super().__init__(root)
        self.asked, self.may_answer, self.error = 0, threading.Event(), None

    def exists(self, path):
        self.asked += 1
        assert self.may_answer.wait(20)
        if self.error:
            raise self.error
        return super().exists(path)


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def looked(stop):
    """What is known once the look that is under way has ended."""
    settle(stop)
    return stop.is_made()


def settle(stop):
    stop._look.join()


def test_in_a_folder_it_is_seen_at_once(tmp_path):
    here, there = (StopRequest(FolderStore(tmp_path), "a1/stop-request") for _ in range(2))
    assert not there.is_made()
    here.make()
    assert there.is_made() and here.is_made()
    there.withdraw()
    assert not here.is_made()


def test_in_a_remote_store_it_is_seen_by_the_next_look(tmp_path, clock):
    store = SlowStore(tmp_path)
    store.may_answer.set()
    here, there = (StopRequest(store, "a1/stop-request") for _ in range(2))
    assert not there.is_made() and not looked(there)
    here.make()
    assert here.is_made(), "who asked knows it"
    for _ in range(100):
        assert not there.is_made()
    assert store.asked == 1, "a step is no reason to look"
    clock[0] += LOOK_S
    there.is_made()
    assert looked(there)
    clock[0] += 9 * LOOK_S
    assert there.is_made() and store.asked == 2, "there is nothing more to find out"
    there.withdraw()
    assert not there.is_made() and not looked(there)


def test_a_store_that_does_not_answer_holds_up_nothing(tmp_path, clock):
    store = SlowStore(tmp_path)
    stop = StopRequest(store, "a1/stop-request")
    for _ in range(10):
        assert not stop.is_made()
        clock[0] += LOOK_S
    assert store.asked == 1
    store.error = Unreachable("gone for five minutes")
    store.may_answer.set()
    settle(stop)
    store.error = None
    StopRequest(FolderStore(tmp_path), "a1/stop-request").make()
    stop.is_made()
    assert looked(stop)
