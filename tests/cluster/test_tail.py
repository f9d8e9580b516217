"""A log that is read on as it grows adds up to what it adds up to when it is read at once."""

import pytest

from cluster.layout import SweepPaths
from cluster.log.records import UnreadableLog, fold
from cluster.log.store import PACKED, open_log, read_log
from cluster.log.tail import Tail, attempts
from data_shards.store import FolderStore
from tests.cluster.conducting import RemoteStore

PATHS = SweepPaths("a1")


@pytest.fixture(params=[FolderStore, RemoteStore], ids=["folder", "remote"])
def store(request, tmp_path):
    return request.param(tmp_path)


def written(store, *records):
    """Append records as a driver that starts, and dies."""
    log = open_log(store, PATHS, driver=1)
    for kind, fields in records:
        log.append(kind, **fields)
    log.close()


OPENED = ("opened", {"id": "a1", "name": "toy", "attempt": 1, "about": {}})


def suggested(count, first=0):
    return [("suggested", {"trial": first + trial, "params": {"x": trial}}) for trial in range(count)]


def test_what_is_new_is_read_once_and_adds_up(store):
    written(store, OPENED, *suggested(3))
    tail, seen = Tail(store, PATHS), list[tuple[int, int]]()
    assert tail.read() == 4
    assert tail.read(lambda state, record: seen.append((0, 0))) == 0
    written(store, *suggested(PACKED + 20, first=3))  # a store packs some of them in between
    assert tail.read(lambda state, record: seen.append((len(state.trials), record["trial"]))) == PACKED + 20
    assert seen == [(trial + 1, trial) for trial in range(3, PACKED + 23)], "each was folded in before it was told"
    assert tail.state == fold(read_log(store, PATHS))
    assert Tail(store, PATHS).read() == PACKED + 24, "packs and all"


def test_attempts_are_told_apart(store):
    for attempt in (1, 2):
        written(store, OPENED, ("closed", {"state": "interrupted"}))
        for found in (attempts(read_log(store, PATHS)), followed(store)):
            assert (len(found.opened), found.closed) == (attempt, True)
    written(store, OPENED)
    for found in (attempts(read_log(store, PATHS)), followed(store)):
        assert (len(found.opened), found.closed) == (3, False)
        assert found.opened == sorted(found.opened)
    written(store, *suggested(1))
    assert attempts(read_log(store, PATHS)).closed is False


def followed(store):
    tail = Tail(store, PATHS)
    tail.read()
    return tail.attempts


def test_a_torn_line_waits_until_a_driver_has_cut_it_off(tmp_path):
    store = FolderStore(tmp_path)
    written(store, OPENED)
    whole = store.read(PATHS.log)
    tail = Tail(store, PATHS)
    store.write(PATHS.log, whole + b'{"v": 2, "kind": "sugg')
    assert (tail.read(), tail.read()) == (1, 0)
    assert attempts(store.read(PATHS.log)).closed is False
    written(store, *suggested(1))
    assert tail.read() == 1
    assert tail.state.trials[0].params == {"x": 0}


def test_damage_is_told_by_its_place(tmp_path):
    store = FolderStore(tmp_path)
    written(store, OPENED, *suggested(1))
    tail = Tail(store, PATHS)
    tail.read()
    store.write(PATHS.log, store.read(PATHS.log) + b"nonsense\n")
    with pytest.raises(UnreadableLog) as caught:
        tail.read()
    assert str(caught.value) == f"{tmp_path}/a1/log.jsonl: line 3 of the log is damaged"


def test_a_copied_folder_is_its_own_sweep(tmp_path):
    store = FolderStore(tmp_path)
    written(store, OPENED)
    store.write("copy/log.jsonl", store.read(PATHS.log))
    tail = Tail(store, SweepPaths("copy"))
    tail.read()
    assert tail.state.id == "copy"
