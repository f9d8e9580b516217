"""Attempts at one run: whatever one that was cut off still commits is never read, and one that is killed leaves nothing."""

import random
import time

import pytest

from cluster.checkpoints.folder import Checkpoints, Superseded
from data_shards.address import is_remote
from data_shards.s3.store import S3Store
from data_shards.store import FolderStore, open_store
from tests.cluster.checkpointing import FOLDER, is_whole, kill, names, process, state, until
from trainers.checkpoint import MANIFEST, STATE, write_state

LARGE = 25_000_000  # numbers: 100 MB, which take a moment to write


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    """The address of an empty folder, and of an empty place in S3."""
    return str(tmp_path / "runs") if request.param == "folder" else request.getfixturevalue("bucket")


def attempt(place, number, **options):
    return Checkpoints(open_store(place), FOLDER, number, **options)


def began(place, number, *steps):
    """An attempt that has begun, and saved these steps."""
    checkpoints = attempt(place, number)
    checkpoints.begin()
    for step in steps:
        checkpoints.save(state(step), step, {"by": number})
    return checkpoints


def test_each_attempt_goes_on_from_the_newest_of_all(place):
    began(place, 1, 10, 20)
    second = attempt(place, 2)
    found = second.begin()
    assert (found.unpacked.step, found.attempt, found.damaged) == (20, 1, ())
    second.save(state(30), 30, {"by": 2})
    third = attempt(place, 3)
    found = third.begin()
    assert (found.unpacked.step, found.attempt, found.unpacked.about) == (30, 2, {"by": 2})
    other_rank = attempt(place, 3).load(found.unpacked.step, found.attempt)
    assert other_rank.digest == found.unpacked.digest
    assert names(third.store) == [
        "attempt-0001-from-00000000",
        "attempt-0002-from-00000020",
        "attempt-0003-from-00000030",
        "step-00000020-a0001",
        "step-00000030-a0002",
    ]


def test_an_attempt_may_go_on_from_an_earlier_step(place):
    began(place, 1, 10, 20)
    second = attempt(place, 2)
    found = second.begin(upto=15)
    assert found.unpacked.step == 10
    assert second.steps() == [10]
    assert names(second.store) == ["attempt-0001-from-00000000", "attempt-0002-from-00000010", "step-00000010-a0001"]


def test_a_superseded_attempt_is_told_and_writes_nothing(place):
    first = began(place, 1, 10)
    second = began(place, 2)
    told = f"{FOLDER}: attempt 2 went on from step 10, so attempt 1 must save nothing more"
    before = second.store.entries()
    for act in (lambda: first.save(state(20), 20, {}), lambda: first.drop_after(0), first.begin):
        with pytest.raises(Superseded) as caught:
            act()
        assert str(caught.value) == told
        assert second.store.entries() == before


class Interrupted(FolderStore):
    """Something happens just before a file of this name is written."""

    def __init__(self, root, name, happens):
        super().__init__(root)
        self.name, self.happens = name, happens

    def write(self, path, data):
        if path.endswith(self.name):
            self.happens()
        super().write(path, data)


def test_a_stale_attempt_that_commits_late_is_ignored_and_cleaned(tmp_path):
    place = str(tmp_path)
    began(place, 1, 10)
    store = Interrupted(tmp_path, MANIFEST, lambda: began(place, 2, 11))
    stale = Checkpoints(store, FOLDER, 1)
    with pytest.raises(Superseded):  # after the last look before the manifest, and before the old ones are deleted
        stale.save(state(20), 20, {"by": 1})
    assert store.exists(f"{FOLDER}/step-00000020-a0001/{MANIFEST}"), "it was committed indeed"
    second = attempt(place, 2)
    assert second.steps() == [10, 11]
    assert second.newest().about == {"by": 2}
    second.save(state(12), 12, {"by": 2})
    assert [name for name in names(second.store) if name.startswith("step")] == [
        "step-00000011-a0002",
        "step-00000012-a0002",
    ]


class Remote(FolderStore):
    """A folder that passes for a store over the network."""

    remote = True


@pytest.mark.parametrize("kind", [FolderStore, Remote])
def test_a_stale_attempt_is_stopped_before_it_commits(tmp_path, monkeypatch, kind):
    began(str(tmp_path), 1, 10)

    def overtaken(tensors, file):
        began(str(tmp_path), 2)  # in a folder, it takes the half-written file away as well
        return write_state(tensors, file)

    monkeypatch.setattr("cluster.checkpoints.folder.write_state", overtaken)
    stale = Checkpoints(kind(tmp_path), FOLDER, 1)
    with pytest.raises(Superseded, match="attempt 2 went on from step 10"):
        stale.save(state(20), 20, {})
    assert not stale.store.exists(f"{FOLDER}/step-00000020-a0001/{MANIFEST}")
    monkeypatch.undo()
    began(str(tmp_path), 3, 20)
    assert [name for name in names(stale.store) if name.startswith("step")] == [
        "step-00000010-a0001",
        "step-00000020-a0003",
    ]


def test_of_two_that_begin_at_once_the_later_one_stays(tmp_path):
    class Overtaken(FolderStore):
        def create(self, path, data):
            began(str(tmp_path), 3)
            return super().create(path, data)

    began(str(tmp_path), 1, 10)
    with pytest.raises(Superseded, match="attempt 3 went on from step 10"):
        Checkpoints(Overtaken(tmp_path), FOLDER, 2).begin()
    assert attempt(str(tmp_path), 3).newest().step == 10


def test_what_an_attempt_goes_on_from_is_not_swept_from_under_its_other_ranks(tmp_path):
    class Slower(FolderStore):
        def create(self, path, data):
            super().create(f"{FOLDER}/attempt-0003-from-00000010", b"")  # another one, which could not read step 20
            return super().create(path, data)

    began(str(tmp_path), 2, 10, 20)
    fourth = Checkpoints(Slower(tmp_path), FOLDER, 4)
    found = fourth.begin()
    assert (found.unpacked and found.unpacked.step, found.attempt) == (20, 2)
    assert fourth.load(20, 2).step == 20
    fourth.save(state(21), 21, {})
    assert fourth.steps() == [10, 21]


def commit_forever(tell, place, number):
    """Attempt `number` saves one step after the other, and tells each one."""
    checkpoints = attempt(place, number)
    found = checkpoints.begin().unpacked
    step = 0 if found is None else found.step
    tell(step)
    while True:
        step += 1
        checkpoints.save(state(step, 100_000), step, {})
        tell(step)


def test_kills_at_any_moment_lose_nothing_that_was_committed(place):
    dice, committed = random.Random(7), 0
    kills = 4 if is_remote(place) else 8
    for number in range(1, kills + 1):
        with process(commit_forever, place, number) as (running, told):
            assert next(told) in (committed, committed + 1), "a commit may have come through that nobody was told of"
            for _ in range(dice.randint(1, 3)):
                committed = next(told)
            time.sleep(dice.random() * 0.02)  # anywhere in the next commit
            kill(running)
            committed = max([committed, *told])
        found = attempt(place, number).newest()
        assert found.step in (committed, committed + 1)
        assert is_whole(found)
        committed = found.step
    last = attempt(place, kills + 1)
    assert last.begin().unpacked.step == committed
    assert not last.look().torn and not last.leftovers()
    assert all(is_whole(last.load(step)) for step in last.steps())


class Stopping(FolderStore):
    """Tells and waits for its death before it writes or deletes something of this name."""

    def __init__(self, root, tell, name, at):
        super().__init__(root)
        self.tell, self.name, self.at = tell, name, at

    def write(self, path, data):
        self._stop("write", path)
        super().write(path, data)

    def delete(self, path):
        self._stop("delete", path)
        super().delete(path)

    def _stop(self, doing, path):
        if (doing, path.rpartition("/")[2]) == (self.at, self.name):
            self.tell(path)
            time.sleep(600)


def commit_until(tell, root, name, at):
    checkpoints = Checkpoints(Stopping(root, tell, name, at), FOLDER, 2)
    checkpoints.begin()
    checkpoints.save(state(30), 30, {})


MOMENTS = {
    "before the manifest": ("write", MANIFEST, 20, True),
    "before the oldest one's manifest goes": ("delete", MANIFEST, 30, False),
    "before the oldest one's state goes": ("delete", STATE, 30, True),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_between_two_files_leaves_whole_checkpoints(tmp_path, moment):
    doing, name, newest, torn = MOMENTS[moment]
    began(str(tmp_path), 1, 10, 20)
    with process(commit_until, tmp_path, name, doing) as (running, told):
        next(told)
        kill(running)
    third = attempt(str(tmp_path), 3)
    assert bool(third.look().torn) == torn
    assert third.begin().unpacked.step == newest
    assert not third.look().torn


def commit_large(tell, place):
    checkpoints = attempt(place, 2)
    checkpoints.begin()
    large = state(30, LARGE)
    tell("writing")
    checkpoints.save(large, 30, {})


def test_a_kill_while_the_state_is_written_leaves_no_checkpoint_and_no_rubbish(tmp_path):
    began(str(tmp_path), 1, 10, 20)
    with process(commit_large, str(tmp_path)) as (running, told):
        next(told)
        until(lambda: any(size > 1_000_000 for size in attempt(str(tmp_path), 2).leftovers().values()))
        kill(running)
    assert attempt(str(tmp_path), 2).leftovers(), "it was killed in the middle"
    third = attempt(str(tmp_path), 3)
    assert third.begin().unpacked.step == 20
    assert not third.leftovers()
    assert not list(tmp_path.rglob("step-00000030*"))


def test_a_kill_while_the_state_is_sent_leaves_no_checkpoint_and_no_rubbish(bucket, seaweed, tmp_path, monkeypatch):
    began(bucket, 1, 10, 20)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    client, store = seaweed.client(), open_store(bucket)
    assert isinstance(store, S3Store)

    def begun():
        return client.list_multipart_uploads(Bucket=store.address.bucket).get("Uploads", [])

    with process(commit_large, bucket) as (running, told):
        next(told)
        until(begun)
        kill(running)
    third = attempt(bucket, 3)
    assert third.begin().unpacked.step == 20
    assert not any("30" in name for name in names(third.store) if name.startswith("step"))
    assert list(tmp_path.iterdir()) == [], "what was staged had no name"
