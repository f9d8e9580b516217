"""Checkpoints in a store: committed by their manifest, and the newest good one is found whatever happened to the rest."""

import logging
import os

import pytest

from cluster.checkpoints.folder import Checkpoints
from cluster.run import Keep
from data_shards.errors import DataError
from data_shards.s3.store import S3Store
from data_shards.store import FolderStore, open_store
from tests.cluster.checkpointing import (
    FOLDER,
    as_first_written,
    flipped,
    is_whole,
    names,
    state,
    taken,
    tamper,
)
from trainers import checkpoint
from trainers.checkpoint import MANIFEST, STATE, DamagedCheckpoint


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    """An empty folder, and an empty place in S3."""
    return FolderStore(tmp_path) if request.param == "folder" else open_store(request.getfixturevalue("bucket"))


@pytest.fixture
def saved(store):
    """Checkpoints of the steps 10, 20 and 30; the last two are kept."""
    checkpoints = Checkpoints(store, FOLDER)
    for step in (10, 20, 30):
        checkpoints.save(state(step), step, {"said": step})
    return checkpoints


def at(step, name=""):
    return f"{FOLDER}/step-{step:08d}/{name}"


def test_the_last_two_are_kept_and_the_newest_is_found(saved, store):
    assert saved.steps() == [20, 30]
    assert names(store) == ["step-00000020", "step-00000030"]
    found = saved.newest()
    assert (found.step, found.about) == (30, {"said": 30})
    assert is_whole(found)
    assert Checkpoints(store, "s/trials/0001/checkpoints").newest() is None


def test_those_of_the_first_version_are_read(store):
    as_first_written(store, 40)
    found = Checkpoints(store, FOLDER, 1).begin()
    assert (taken(found).step, taken(found).about, found.attempt) == (40, {"said": 40}, 0)
    assert is_whole(taken(found))
    assert names(store) == ["attempt-0001-from-00000040", "step-00000040"]


def test_a_folder_holds_nothing_but_what_is_kept(tmp_path):
    checkpoints = Checkpoints(FolderStore(tmp_path), FOLDER, 2)
    checkpoints.begin()
    for step in (10, 20, 30):
        checkpoints.save(state(step), step, {})
    everything = sorted(path.relative_to(tmp_path / FOLDER).as_posix() for path in (tmp_path / FOLDER).rglob("*"))
    kept = [f"step-000000{step}-a0002{name}" for step in (20, 30) for name in ("", f"/{MANIFEST}", f"/{STATE}")]
    assert everything == ["attempt-0002-from-00000000", *kept]
    assert (tmp_path / FOLDER / f"step-00000030-a0002/{STATE}").stat().st_mode & 0o777 == 0o644


DAMAGES = {
    "flipped": (STATE, flipped, "its SHA-256 is not the manifest's"),
    "truncated": (STATE, lambda raw: raw[:-1], "bytes, the manifest says"),
    "gone": (STATE, None, "it is not there"),
    "flipped manifest": (MANIFEST, flipped, ""),
    "torn manifest": (MANIFEST, lambda raw: raw[:20], "not JSON"),
    "of another form": (
        MANIFEST,
        lambda raw: raw.replace(b'"bytes"', b'"bites"'),
        "its SHA-256 is not the one it names",
    ),
    "of another step": (MANIFEST, 20, "it is of step 20"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_is_named_and_passed_over(saved, store, damage, caplog):
    name, change, problem = DAMAGES[damage]
    if change is None:
        store.delete(at(30, name))
    elif isinstance(change, int):
        store.write(at(30, name), store.read(at(change, name)))
    else:
        tamper(store, at(30, name), change)
    with pytest.raises(DamagedCheckpoint) as caught:
        saved.load(30)
    assert str(caught.value).startswith(f"{at(30, name)}: ")
    assert problem in str(caught.value)
    with caplog.at_level(logging.WARNING):
        assert saved.newest().step == 20
    assert caplog.messages == [f"damaged checkpoint passed over: {caught.value}"]
    found = Checkpoints(store, FOLDER, 1).begin()
    assert (taken(found).step, found.damaged) == (20, (str(caught.value),))


@pytest.mark.parametrize("name", [MANIFEST, STATE])
def test_what_rots_in_a_bucket_is_passed_over(bucket, seaweed, name):
    store = open_store(bucket)
    assert isinstance(store, S3Store)
    checkpoints = Checkpoints(store, FOLDER)
    for step in (20, 30):
        checkpoints.save(state(step), step, {})
    client, place = seaweed.client(), {"Bucket": store.address.bucket, "Key": f"{store.address.prefix}/{at(30, name)}"}
    held = client.get_object(**place)
    content = bytes(flipped(bytearray(held["Body"].read())))
    client.put_object(**place, Body=content, Metadata=held["Metadata"])  # its checksums stay as they were
    found = Checkpoints(store, FOLDER, 1).begin()
    assert taken(found).step == 20
    (text,) = found.damaged
    assert text.startswith(f"{at(30, name)}: s3://") and "do not fit the checksum" in text


def test_none_is_found_where_all_are_damaged(saved, store):
    for step in (20, 30):
        store.write(at(step, STATE), b"")
    assert saved.newest() is None
    found = Checkpoints(store, FOLDER, 1).begin()
    assert found.unpacked is None
    assert [text.partition(": ")[0] for text in found.damaged] == [at(30, STATE), at(20, STATE)]
    assert names(store) == ["attempt-0001-from-00000000"], "and the attempt begins from the beginning"


class Watched(FolderStore):
    """Tells what is read. It passes for a remote one: nothing is read past it."""

    remote = True

    def __init__(self, root):
        super().__init__(root)
        self.read_paths = []

    def read(self, path):
        self.read_paths.append(path)
        return super().read(path)

    def download(self, path, target, size, etag=""):
        self.read_paths.append(path)
        super().download(path, target, size, etag)


def test_sizes_are_compared_before_anything_is_read(tmp_path):
    Checkpoints(FolderStore(tmp_path), FOLDER).save(state(30), 30, {})
    whole = (tmp_path / at(30, STATE)).stat().st_size
    os.truncate(tmp_path / at(30, STATE), 1 << 40)  # a hole takes no room
    store = Watched(tmp_path)
    with pytest.raises(DamagedCheckpoint, match=rf"{STATE}: {1 << 40} bytes, the manifest says {whole}$"):
        Checkpoints(store, FOLDER).load(30)
    assert store.read_paths == [at(30, MANIFEST)]
    os.truncate(tmp_path / at(30, MANIFEST), 64_000_001)
    with pytest.raises(
        DamagedCheckpoint, match=f"{MANIFEST}: 64000001 bytes, more than the 64000000 a manifest may have"
    ):
        Checkpoints(store, FOLDER).load(30)
    assert len(store.read_paths) == 1


def test_a_newer_format_is_not_passed_over_for_an_older_checkpoint(saved, store, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "FORMAT", 2)
        saved.save(state(40), 40, {})
    told = f"{at(40, MANIFEST)}: format 2 is newer than 1: upgrade i2i-cluster"
    for ask in (saved.newest, Checkpoints(store, FOLDER, 1).begin):
        with pytest.raises(DataError) as caught:
            ask()
        assert str(caught.value) == told
    assert names(store) == ["step-00000030", "step-00000040"], "and nothing was touched"


def test_a_torn_folder_is_no_checkpoint_and_is_swept_up(saved, store):
    store.write(at(40, STATE), store.read(at(30, STATE)))
    assert saved.steps() == [20, 30]
    assert saved.newest().step == 30
    with pytest.raises(DamagedCheckpoint, match=f"{MANIFEST}: it is not there"):
        saved.load(40)
    saved.save(state(31), 31, {})
    assert names(store) == ["step-00000030", "step-00000031"]


def test_what_is_committed_can_be_committed_again(saved, store):
    content = store.read(at(30, STATE))
    digest = saved.save(state(30), 30, {"said": "again"})
    assert saved.steps() == [20, 30]
    assert saved.newest().about == {"said": "again"}
    assert saved.newest().digest == digest
    assert store.read(at(30, STATE)) == content, "equal states are equal bytes"


def test_what_is_saved_below_damaged_ones_is_kept(saved, store):
    for step in saved.steps():
        store.write(at(step, STATE), b"damaged")
    saved.save(state(5), 5, {})
    assert saved.newest().step == 5, "a run that started anew keeps what it saves"


def test_the_best_ones_stay_by_the_scores_in_their_manifests(store):
    scores = {10: 0.5, 20: 0.25, 30: 0.25, 40: None, 50: float("nan"), 60: 0.75}
    for step, score in scores.items():  # each by an attempt of its own, which knows the others' from their manifests
        checkpoints = Checkpoints(store, FOLDER, step // 10, Keep(last=2, best=2))
        checkpoints.begin()
        checkpoints.save(state(step), step, {}, score)
    assert checkpoints.steps() == [20, 30, 50, 60]
    assert checkpoints.load(20).about == {"score": 0.25}
    assert checkpoints.load(50).about == {}, "no number is no score"
    highest = Checkpoints(store, FOLDER, 7, Keep(last=1, best=1, mode="max"))
    highest.save(state(70), 70, {})
    assert highest.steps() == [60, 70]


def test_a_rollback_drops_what_lies_above(saved, store):
    saved.save(state(40), 40, {})
    store.write(at(50, STATE), b"torn")
    saved.drop_after(30)
    assert names(store) == ["step-00000030"]
    saved.drop_after(0)
    assert names(store) == []


def test_other_people_s_files_are_left_alone(saved, store):
    foreign = [f"{FOLDER}/step-00000030.bak/{MANIFEST}", at(30, "notes/mine.txt"), f"{FOLDER}/README"]
    for path in foreign:
        store.write(path, b"{}")
    for step in (40, 50, 60):
        saved.save(state(step), step, {})
    saved.drop_after(0)
    assert store.list(f"{FOLDER}/") == sorted(foreign)
