"""Many processes on one cache, some of which are killed, on disks that are full."""

import fcntl
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import pytest

from data_shards.cache.folder import MARKER
from tests.data_shards.cache_process import Process
from tests.data_shards.cache_world import Origin, make_shards, there, until

SIZE = 200_000  # bytes: a shard takes a while to write, compared with a lock


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    make_shards(tmp_path / "origin", 8, SIZE)
    return Origin(tmp_path / "origin")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_two_processes_download_a_shard_once(folder: Path, origin: Origin) -> None:
    with (
        Process(folder, origin.root, 8 * SIZE, halt="s0.tar") as first,
        Process(folder, origin.root, 8 * SIZE) as second,
    ):
        first.say("open s0.tar")
        assert first.heard() == "half"
        second.say("open s0.tar")
        until(second.is_waiting)
        assert first.ask("go") == "done"
        assert second.heard() == "done"
        assert second.count("cache_waits") == 1
        for process in (first, second):
            process.say(" ".join(["read", *(f"s{i}.tar" for i in range(1, 8))]))
        assert [first.heard(), second.heard()] == ["done", "done"]
        assert first.count("cache_misses") + second.count("cache_misses") == 8
    assert Counter(origin.downloads()) == {f"s{i}.tar": 1 for i in range(8)}


def test_a_download_that_is_killed_is_taken_over_or_cleared_away(folder: Path, origin: Origin) -> None:
    with (
        Process(folder, origin.root, 8 * SIZE, halt="s0.tar") as killed,
        Process(folder, origin.root, 8 * SIZE, halt="s1.tar") as unwanted,
        Process(folder, origin.root, 8 * SIZE) as waiting,
    ):
        for process, name in ((killed, "s0.tar"), (unwanted, "s1.tar")):
            process.say(f"open {name}")
            assert process.heard() == "half"
        waiting.say("open s0.tar")
        until(waiting.is_waiting)
        assert len(there(folder)) == 2
        killed.kill()
        assert waiting.heard() == "done"
        unwanted.kill()
        assert waiting.ask("open s2.tar") == "done"
    assert origin.downloads().count("s0.tar") == 2
    assert len(there(folder)) == 2
    assert all(name.endswith(".tar") for name in there(folder))
    (folder / "shards" / f"{'0' * 64}.{SIZE}.part").write_bytes(b"of a process that was killed long ago")
    with Process(folder, origin.root, 8 * SIZE):
        assert all(name.endswith(".tar") for name in there(folder))


def test_pins_last_as_long_as_their_process(folder: Path, origin: Origin) -> None:
    shards = make_shards(origin.root, 8, SIZE)
    rest = " ".join(f"s{i}.tar" for i in range(2, 8))
    with Process(folder, origin.root, 3 * SIZE) as holder, Process(folder, origin.root, 3 * SIZE) as other:
        assert other.ask("read s0.tar") == "done"
        assert holder.ask("open s0.tar s1.tar") == "done"  # one that was there, and one that it downloads
        assert other.ask(f"read {rest}") == "done"
        assert other.count("cache_evictions") == 5
        assert {f"{shards[name].sha256}.tar" for name in ("s0.tar", "s1.tar")} < there(folder)
        assert other.ask(f"read {rest}") == "done"
        holder.kill()
        assert other.ask("open s2.tar s3.tar s4.tar") == "done"
        assert other.count("cache_overruns") == 0
    assert len(there(folder)) == 3


def test_a_process_that_holds_nothing_waits_for_the_others_pins(folder: Path, origin: Origin) -> None:
    patient = Process(folder, origin.root, 2 * SIZE, patience=600)
    hasty = Process(folder, origin.root, 2 * SIZE, patience=0)
    with Process(folder, origin.root, 2 * SIZE) as holder, patient, hasty:
        assert holder.ask("open s0.tar s1.tar") == "done"
        patient.say("open s2.tar")
        until(lambda: any(name.endswith(".part") for name in there(folder)))
        assert hasty.ask("read s3.tar") == "done"
        assert hasty.count("cache_overruns") == 1
        assert holder.ask("close s0.tar") == "done"
        assert patient.heard() == "done"
        assert patient.count("cache_overruns") == 0
    assert len(there(folder)) == 2


def test_processes_that_hold_something_never_wait_for_each_other(folder: Path, origin: Origin) -> None:
    first = Process(folder, origin.root, 2 * SIZE, patience=600)
    second = Process(folder, origin.root, 2 * SIZE, patience=600)
    with first, second:
        assert first.ask("open s0.tar") == second.ask("open s1.tar") == "done"
        assert first.ask("open s2.tar") == second.ask("open s3.tar") == "done"
        assert first.count("cache_overruns") == second.count("cache_overruns") == 1
        assert first.ask("close s0.tar s2.tar") == "done"
        assert second.ask("close s1.tar") == "done"
        assert second.ask("open s4.tar") == "done"
        assert second.count("cache_overruns") == 1
    assert len(there(folder)) == 2


def test_within_the_limit_at_every_moment_whoever_is_killed(folder: Path, origin: Origin) -> None:
    limit = 4 * SIZE
    names = [f"s{i}.tar" for i in range(8)]
    seen, enough = list[int](), Event()

    def watch() -> None:
        """Between two steps of the processes: under the lock that they take for each."""
        marker = os.open(folder / "shards" / MARKER, os.O_RDWR)
        while not enough.is_set():
            fcntl.flock(marker, fcntl.LOCK_EX)
            seen.append(sum((folder / "shards" / name).stat().st_size for name in there(folder)))
            fcntl.flock(marker, fcntl.LOCK_UN)
        os.close(marker)

    with ExitStack() as stack, ThreadPoolExecutor(1) as threads:
        readers = [stack.enter_context(Process(folder, origin.root, limit, patience=600)) for _ in range(4)]
        watching = threads.submit(watch)
        for number, reader in enumerate(readers):
            turned = names[2 * number :] + names[: 2 * number]
            reader.say(" ".join(["read", *turned * 6]))
        until(lambda: len(origin.downloads()) > 20)
        readers[0].kill()
        assert [reader.heard() for reader in readers[1:]] == ["done"] * 3
        assert [reader.count("cache_overruns") for reader in readers[1:]] == [0] * 3
        enough.set()
        watching.result(60)
    assert len(origin.downloads()) > 24
    assert 2 * SIZE < max(seen) <= limit


# A disk of its own

SMALL = 3 * SIZE + 100_000  # bytes


def small_disk(folder: Path, more: str = "true") -> str:
    """Shell commands that put a disk with room for three shards in the place of a folder, for one process."""
    return f"mkdir -p {folder} && mount -t tmpfs -o size={SMALL} none {folder} && {more}"


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "disk").mkdir()
    tried = subprocess.run(
        ["unshare", "-rm", "sh", "-c", small_disk(tmp_path / "disk")], capture_output=True, text=True
    )
    if tried.returncode:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.strip()}")
    yield


@pytest.mark.usefixtures("disks")
def test_a_full_disk_is_made_room_on(folder: Path, origin: Origin) -> None:
    names = " ".join(f"s{i}.tar" for i in range(8))
    with Process(folder, origin.root, 100 * SIZE, halt="s7.tar", before=small_disk(folder), patience=0) as process:
        assert process.ask(f"read {names}") == "half"
        assert process.count("cache_evictions") == 5
        assert process.ask(f"fill {folder}/other") == "No space left on device"
        assert process.ask("go") == "done"
        assert process.count("cache_evictions") == 6
        assert process.ask("open s0.tar s1.tar s2.tar") == (
            f"OSError: {folder}: the disk is full, s2.tar needs 200kB and nothing of the cache can be removed; make "
            "room there, or give a folder on a larger disk (data.cache.folder), which can hold the limit of 20MB "
            "(data.cache.limit)"
        )
        assert len(process.ask(f"ls {folder}/shards").split()) == 3
        assert ".part" not in process.ask(f"ls {folder}/shards")
        assert process.ask("close s0.tar") == "done"
        assert process.ask("open s2.tar") == "done"
        assert process.ask(f"ls {folder}") == "other shards"
        assert process.count("cache_corrupt") == 0


@pytest.mark.usefixtures("disks")
def test_a_disk_that_cannot_be_written_is_refused(folder: Path, origin: Origin) -> None:
    read_only = small_disk(folder, f"mount -o remount,ro {folder}")
    refusal = f"DataError: {folder} cannot be used as a cache (Read-only file system); give a folder on a local disk"
    with Process(folder, origin.root, 8 * SIZE, before=read_only, greeting=refusal):
        pass
