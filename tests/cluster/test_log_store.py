"""A log in a store that cannot append: exact whatever dies in between, and never written by two."""

import re

import pytest

from cluster.layout import SweepPaths
from cluster.log.lock import SweepBusy
from cluster.log.records import NewerLog, UnreadableLog, fold
from cluster.log.store import PACKED, has_log, open_log, read_log, read_state, sweeps_in
from tests.cluster.conducting import RemoteStore

PATHS = SweepPaths("a1")


class CountingStore(RemoteStore):
    """Counts what it is asked to read, and dies at the n-th creation."""

    reads, left = 0, 10**6

    def read(self, path):
        self.reads += 1
        return super().read(path)

    def create(self, path, data):
        if self.left == 0:
            raise OSError("the store is gone")
        self.left -= 1
        return super().create(path, data)


@pytest.fixture
def store(tmp_path):
    return CountingStore(tmp_path)


def opened(store, driver=1):
    log = open_log(store, PATHS, driver)
    log.append("opened", id="a1", name="toy", attempt=driver, about={})
    return log


def suggest(log, count):
    """`count` more trials."""
    for trial in range(len(log.state.trials), len(log.state.trials) + count):
        log.append("suggested", trial=trial, params={"weights.cyc": trial / 3})


def test_what_a_reader_finds_is_what_the_writer_knew(store):
    assert not has_log(store, PATHS)
    with pytest.raises(FileNotFoundError, match=f"^{store.uri}/a1/log is not there$"):
        read_state(store, PATHS)
    log = opened(store)
    for count in (1, PACKED - 3, 1, 1, 2 * PACKED + 7):  # before, at and after a full pack
        suggest(log, count)
        assert read_state(store, PATHS) == log.state == open_log(store, PATHS, 2).state
    assert has_log(store, PATHS)


def test_a_long_log_takes_few_reads(store):
    suggest(opened(store), 5 * PACKED + 8)
    store.reads = 0
    assert len(read_state(store, PATHS).trials) == 5 * PACKED + 8
    assert store.reads == 5 + 9


def test_whatever_creation_a_driver_dies_at_the_next_one_goes_on_there(tmp_path):
    for left in range(PACKED - 3, PACKED + 4):
        store = CountingStore(tmp_path / str(left))
        store.left = left
        log = opened(store)
        with pytest.raises(OSError, match="the store is gone"):
            suggest(log, 2 * PACKED)
        before, store.left = read_log(store, PATHS), 10**6
        again = opened(store, driver=2)
        suggest(again, PACKED)
        assert read_log(store, PATHS).startswith(before)
        assert read_state(store, PATHS) == again.state
        singles = [path for path in store.list(PATHS.segments) if "-" not in path.rpartition("/")[2]]
        first = b"".join(store.read(path) for path in singles[:PACKED])
        assert store.read(f"{PATHS.segments}/00000001-{PACKED:08d}.jsonl") == first


def test_of_two_drivers_the_later_one_to_write_ends_and_has_acted_on_nothing(store):
    first = opened(store)
    second = opened(store, driver=2)
    before, known = read_log(store, PATHS), first.state.attempt
    with pytest.raises(SweepBusy, match=r"^another process drives this sweep by now: it wrote record 2 of the log; "):
        first.append("opened", id="a1", name="toy", attempt=1, about={})
    assert first.state.attempt == known
    assert read_log(store, PATHS) == before
    suggest(second, 1)
    assert read_state(store, PATHS) == second.state


def test_two_drivers_with_the_very_same_record_are_told_apart(store, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 7.0)
    records = set()
    for driver in (1, 2):
        open_log(store, PATHS, driver).append("opened", id="a1", name="toy", attempt=1, about={})
        (segment,) = store.list(PATHS.segments)
        records.add(store.read(segment))
        store.delete(segment)
    assert len(records) == 2


def test_a_gap_and_a_torn_segment_are_damage(store):
    suggest(opened(store), 8)
    gone = f"{PATHS.segments}/00000004.jsonl"
    raw = store.read(gone)
    store.delete(gone)
    for read in (lambda: read_state(store, PATHS), lambda: open_log(store, PATHS, 2)):
        with pytest.raises(UnreadableLog, match=f"^{store.uri}/a1/log: segment 4 of the log is missing$"):
            read()
    store.write(gone, raw[:-1])
    with pytest.raises(UnreadableLog, match=f"^{store.uri}/a1/log: segment 4 of the log is damaged$"):
        read_state(store, PATHS)
    store.write(gone, b"nonsense\n")
    for read in (lambda: read_state(store, PATHS), lambda: open_log(store, PATHS, 2)):
        with pytest.raises(UnreadableLog, match=f"^{store.uri}/a1/log: line 4 of the log is damaged$"):
            read()


def test_a_packed_log_survives_a_lost_pack(store):
    log = opened(store)
    suggest(log, 3 * PACKED)
    packs = [path for path in store.list(PATHS.segments) if re.search(r"-\d+\.jsonl", path)]
    contents = [store.read(pack) for pack in packs]
    store.delete(packs[1])
    again = open_log(store, PATHS, 2)
    assert again.state == log.state
    suggest(again, PACKED)
    store.delete(packs[2])
    assert read_state(store, PATHS) == again.state
    assert store.read(packs[0]) == contents[0]


def test_a_newer_log_is_refused(store):
    store.create(f"{PATHS.segments}/00000001.jsonl", b'{"v": 99, "kind": "opened"}\n')
    with pytest.raises(NewerLog, match="version 99"):
        open_log(store, PATHS, 1)


def test_sweeps_are_found_by_their_claims_and_logs(store):
    assert sweeps_in(store) == []
    for sweep in ("b2", "a1"):
        store.create(f"{SweepPaths(sweep).claims}/00000001.json", b"{}")
    store.create("b2/trials/0000/grids/step-00000001.png", b"")
    assert sweeps_in(store) == ["a1", "b2"]


def test_every_line_of_a_segment_is_a_record(store):
    log = opened(store)
    store.create(f"{PATHS.segments}/00000002.jsonl", store.read(f"{PATHS.segments}/00000001.jsonl") * 2)
    assert fold(read_log(store, PATHS)).attempt == log.state.attempt == 1
