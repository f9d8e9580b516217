"""What a worker prints reaches the storage, whole, also of a process that is killed; and a store that fails disturbs nobody."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cluster.layout import SweepPaths
from cluster.output import FIRST, LAST, SEGMENT_BYTES, Reader, Segment, segments
from cluster.report import Report
from cluster.workers import shipping
from cluster.workers.notes import Carried, Note, orphans
from cluster.workers.shipping import Carrier, Shipper
from data_shards.errors import Unreachable
from data_shards.store import FolderStore, open_store

FOLDER = SweepPaths("0123456789ab").output(3)


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    """A storage, empty."""
    return open_store(str(tmp_path / "runs") if request.param == "folder" else request.getfixturevalue("bucket"))


@pytest.fixture
def out(tmp_path):
    """A file that a process prints into; what is in it was printed before the trial."""
    path = tmp_path / "logs" / "worker.out"
    path.parent.mkdir()
    path.write_bytes(b"of the trial before\n")
    return path


def add(path, text):
    with path.open("ab") as file:
        file.write(text)


def read(store, rank=None):
    reader = Reader(store, FOLDER, rank)
    return [line.text for line in [*reader.lines(), *reader.rests()]]


def shipper(store, out, start=2, rank=0, **more):
    return Shipper(store, FOLDER, start, rank, files=(str(out),), **more)


def test_what_is_printed_meanwhile_is_carried(store, out):
    with shipper(store, out) as ship:
        add(out, b"one\n:actor_name:run_trial\ntw")
        ship.flush(30)
        assert read(store) == ["one"], "a line that is not whole waits"
        add(out, b"o\n")
        ship.flush(30)
        assert read(store) == ["one", "two"]
        add(out, b"never ended")
    assert read(store) == ["one", "two", "never ended"]
    assert list(segments(store, FOLDER)) == [Segment(2, 0, 0)]


def test_a_line_is_found_beside_its_step(store, out):
    beats = []
    with shipper(store, out) as ship:
        beat = ship.beating(lambda step, doing: beats.append((step, doing)))
        add(out, b"before the first step\n")
        ship.flush(30)
        beat(7, "training")
        add(out, b"seven\nand half a ")
        ship.flush(30)
        beat(8, "training")
        add(out, b"line\n")
        ship.flush(30)
        add(out, b"eight, too\n")
    assert beats == [(7, "training"), (8, "training")]
    reader = Reader(store, FOLDER)
    assert [(line.step, line.text) for line in [*reader.lines(), *reader.rests()]] == [
        (None, "before the first step"),
        (7, "seven"),
        (8, "and half a line"),
        (8, "eight, too"),
    ]


def test_it_is_there_before_anybody_hears_that_the_run_has_ended(store, out):
    heard = []

    def tell(report: Report) -> bool:
        heard.append((report.outcome, read(store)))
        return True

    with shipper(store, out) as ship:
        told = ship.telling(tell)
        add(out, b"goodbye\n")
        assert told(Report(10, outcome="done"))
    assert heard == [("done", ["goodbye"])]


def test_an_exception_s_traceback_is_printed_and_carried(store, out, capfd):
    with pytest.raises(RuntimeError, match="broken"), shipper(store, out):
        raise RuntimeError("broken")
    assert "RuntimeError: broken" in capfd.readouterr().err, "into the process's own output, which is carried"


def test_nothing_printed_is_nothing_stored(store, out):
    with shipper(store, out):
        pass
    assert segments(store, FOLDER) == {}


def test_starts_and_ranks_stand_apart(store, out):
    for start, rank in [(1, 0), (1, 1), (2, 0)]:
        with shipper(store, out, start, rank):
            add(out, f"start {start}, worker {rank}\n".encode())
    assert read(store) == ["start 1, worker 0", "start 1, worker 1", "start 2, worker 0"]
    assert read(store, rank=1) == ["start 1, worker 1"]


def test_a_reader_goes_on_where_it_stood(store, out):
    reader = Reader(store, FOLDER)
    with shipper(store, out) as ship:
        for number in range(3):
            add(out, f"{number}\nhalf of ".encode())
            ship.flush(30)
            assert [line.text for line in reader.lines()] == [f"half of {number}" if number else "0"]


def test_much_output_is_cut_in_its_middle(tmp_path, out):
    store = FolderStore(tmp_path / "runs")
    lines = [f"{number:0127d}\n".encode() for number in range((FIRST + LAST + 20) * SEGMENT_BYTES // 128)]
    carrier = Carrier(store, Carried(store.uri, FOLDER, 1, 0, 0, {str(out): out.stat().st_size}))
    add(out, b"".join(lines))
    while carrier.carry(ending=True):
        pass
    assert sum(segments(store, FOLDER).values()) <= (FIRST + LAST) * SEGMENT_BYTES
    told = read(store)
    gap = told.index("[what was printed here was too much to be kept]")
    first, last = lines[:gap], lines[-(len(told) - gap - 1) :]
    assert [line.encode() + b"\n" for line in told[:gap]] == first
    assert [line.encode() + b"\n" for line in told[gap + 1 :]] == last
    assert gap == FIRST * SEGMENT_BYTES // 128


def test_a_store_that_fails_is_tried_again_and_raises_nothing(tmp_path, out, monkeypatch):
    store = FolderStore(tmp_path / "runs")
    fails = [True]
    write = store.write

    def sometimes(path, data):
        if fails[0]:
            raise Unreachable("it does not answer")
        write(path, data)

    monkeypatch.setattr(store, "write", sometimes)
    with shipper(store, out) as ship:
        add(out, b"one\n")
        ship.flush(30)
        assert read(store) == []
        fails[0] = False
        ship.flush(30)
        assert read(store) == ["one"]
    assert list(orphans(out.parent)) == []


def test_what_a_store_did_not_take_is_left_to_somebody_else(tmp_path, out, monkeypatch):
    store = FolderStore(tmp_path / "runs")

    def never(path, data):
        raise Unreachable("it does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(store, "write", never)
        with shipper(store, out):
            add(out, b"the last words\n")
    with shipper(store, out, start=3) as ship:
        ship.flush(30)
    assert read(store) == ["the last words"]


PRINTS = """
import os, sys
from cluster.workers.shipping import Shipper
from data_shards.store import open_store
print("before the trial")
with Shipper(open_store(sys.argv[1]), sys.argv[2], 1, 0) as ship:
    print("said")
    print("warned", file=sys.stderr)
    ship.flush(30)
    if len(sys.argv) > 3:
        os.write(2, b"Fatal: out of memory\\n")
        os.kill(os.getpid(), int(sys.argv[3]))
"""


@pytest.fixture
def process(store, tmp_path):
    """process(signal): runs a process that prints, into two files as Ray's workers do; returns its exit code."""

    def run(*arguments):
        folder = tmp_path / "ray"
        folder.mkdir(exist_ok=True)
        with (folder / "worker.out").open("ab") as out, (folder / "worker.err").open("ab") as err:
            command = [sys.executable, "-c", PRINTS, store.uri, FOLDER, *map(str, arguments)]
            return subprocess.run(command, stdout=out, stderr=err, cwd=os.getcwd(), timeout=120, check=False).returncode

    return run


def test_a_process_carries_its_own_two_files(process, store, tmp_path):
    assert process() == 0, (tmp_path / "ray" / "worker.err").read_text()
    assert read(store) == ["said", "warned"]
    assert [path.name for path in (tmp_path / "ray").iterdir() if path.suffix == ".json"] == []


def test_the_last_words_of_one_that_was_killed_are_carried_by_the_next(process, store, tmp_path):
    assert process(signal.SIGKILL) == -signal.SIGKILL
    assert read(store) == ["said", "warned"]
    other = tmp_path / "ray" / "other.out"
    other.touch()
    with shipper(store, other, start=2) as ship:
        ship.flush(60)
    assert read(store) == ["said", "warned", "Fatal: out of memory"]
    assert list(orphans(tmp_path / "ray")) == [], "once"


def test_a_note_is_nobody_s_as_long_as_its_owner_lives(tmp_path):
    note = Note(tmp_path)
    carried = Carried("/runs", FOLDER, 1, 0, 0, {"a": 1})
    note.write(Carried("/runs", FOLDER, 1, 0, 0, {"a-long-name": 100_000}))
    note.write(carried)
    assert list(orphans(tmp_path)) == []
    note.close(keep=True)
    assert list(orphans(tmp_path)) == [carried]
    (tmp_path / "i2i-output-1-x.json").write_text("{torn")
    assert list(orphans(tmp_path)) == []


def test_a_terminal_or_a_pipe_is_not_carried(tmp_path):
    code = "from cluster.workers.shipping import _own_output; import sys; sys.exit(len(_own_output()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_run_does_not_wait_for_a_store_that_hangs(tmp_path, out, monkeypatch):
    store = FolderStore(tmp_path / "runs")
    hung = []

    def hang(path, data):
        hung.append(path)
        while hung:
            time.sleep(0.01)

    monkeypatch.setattr(store, "write", hang)
    monkeypatch.setattr(shipping, "FLUSH_S", 0.1)
    with shipper(store, out) as ship:
        add(out, b"one\n")
        assert ship.telling(lambda report: True)(Report(1, outcome="done"))
    assert hung, "it hangs still, and nobody waits for it"
    hung.clear()
