"""Checkpoints in a store: committed by their manifest, and the newest good one is found whatever happened to the rest."""

import logging

import pytest
import torch

from cluster.checkpoints import Checkpoints
from data_shards.store import FolderStore
from trainers.checkpoint import MANIFEST, STATE, DamagedCheckpoint

FOLDER = "s/trials/0000/checkpoints"


def state(step):
    return {"counter.step": torch.tensor(step), "model.w": torch.full((64,), float(step))}


@pytest.fixture
def saved(tmp_path):
    """Checkpoints of the steps 10, 20 and 30; the last two are kept."""
    checkpoints = Checkpoints(FolderStore(tmp_path), FOLDER)
    for step in (10, 20, 30):
        checkpoints.save(state(step), step, {"said": step})
    return checkpoints


def at(tmp_path, step, name=""):
    return tmp_path / FOLDER / f"step-{step:08d}" / name


def test_the_last_two_are_kept_and_the_newest_is_found(saved, tmp_path):
    assert saved.steps() == [20, 30]
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["step-00000020", "step-00000030"]
    found = saved.newest()
    assert (found.step, found.about) == (30, {"said": 30})
    assert torch.equal(found.state["model.w"], torch.full((64,), 30.0))
    assert Checkpoints(FolderStore(tmp_path), "s/trials/0001/checkpoints").newest() is None


@pytest.mark.parametrize("damage", ["flipped", "truncated", "gone", "manifest torn", "manifest of another form"])
def test_a_damaged_newest_is_named_and_passed_over(saved, tmp_path, damage, caplog):
    file = at(tmp_path, 30, MANIFEST if "manifest" in damage else STATE)
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 255
    torn = {"flipped": bytes(raw), "truncated": bytes(raw[:-1]), "manifest torn": bytes(raw[:20])}
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(torn.get(damage, raw[:-1].replace(b'"bytes"', b'"bites"') + b"}"))
    with caplog.at_level(logging.WARNING):
        found = saved.newest()
    assert found.step == 20
    assert len(caplog.messages) == 1
    assert f"{FOLDER}/step-00000030/" in caplog.messages[0]
    assert file.name in caplog.messages[0]
    with pytest.raises(DamagedCheckpoint):
        saved.load(30)
    assert saved.load(20).step == 20


def test_none_is_found_where_all_are_damaged(saved, tmp_path, caplog):
    for step in (20, 30):
        at(tmp_path, step, STATE).write_bytes(b"")
    assert saved.newest() is None
    assert len(caplog.messages) == 2


def test_a_torn_folder_is_no_checkpoint_and_is_swept_up(saved, tmp_path):
    torn = at(tmp_path, 40, STATE)
    torn.parent.mkdir()
    torn.write_bytes(at(tmp_path, 30, STATE).read_bytes())
    assert saved.steps() == [20, 30]
    assert saved.newest().step == 30
    saved.save(state(31), 31, {})
    assert not torn.exists()
    assert saved.steps() == [30, 31]


class Crash(Exception):
    pass


class CrashingStore(FolderStore):
    """Dies at the n-th change of what it holds."""

    left = 10**6

    def write(self, path, data):
        self._count()
        super().write(path, data)

    def delete(self, path):
        self._count()
        super().delete(path)

    def _count(self):
        if self.left == 0:
            raise Crash
        self.left -= 1


def test_a_crash_anywhere_leaves_a_good_newest(tmp_path):
    survived = []
    for left in range(20):
        store = CrashingStore(tmp_path / str(left))
        checkpoints = Checkpoints(store, FOLDER)
        for step in (10, 20):
            checkpoints.save(state(step), step, {})
        store.left = left
        try:
            checkpoints.save(state(30), 30, {})
        except Crash:
            after = Checkpoints(FolderStore(store.root), FOLDER)
            found = after.newest()
            assert found is not None
            assert torch.equal(found.state["model.w"], state(found.step)["model.w"])
            assert all(after.load(step).step == step for step in after.steps()), "whatever counts as one is whole"
            survived.append(found.step)
    assert survived == [20, 20, 30, 30], "the state, its manifest, then the two files of the oldest: its manifest first"


def test_what_is_committed_can_be_committed_again(saved, tmp_path):
    digest = saved.save(state(30), 30, {"said": "again"})
    assert saved.steps() == [20, 30]
    assert saved.newest().about == {"said": "again"}
    assert saved.newest().digest == digest


def test_what_is_saved_below_damaged_ones_is_kept(saved):
    for step in saved.steps():
        saved.store.write(f"{FOLDER}/step-{step:08d}/{STATE}", b"damaged")
    assert saved.newest() is None
    saved.save(state(5), 5, {})
    found = saved.newest()
    assert found is not None and found.step == 5, "a run that started anew keeps what it saves"


def test_what_a_successor_saved_further_on_is_left_to_it(saved):
    saved.save(state(25), 25, {})
    saved.save(state(26), 26, {})
    assert saved.steps() == [25, 26, 30], "good ones above were made by another process that is ahead"
    saved.save(state(40), 40, {})
    assert saved.steps() == [30, 40]


def test_other_people_s_folders_are_left_alone(saved):
    foreign = f"{FOLDER}/step-00000030.bak/{MANIFEST}"
    saved.store.write(foreign, b"{}")
    saved.save(state(40), 40, {})
    assert saved.steps() == [30, 40]
    assert saved.store.exists(foreign)
    kept = f"{FOLDER}/step-00000030/notes/mine.txt"
    saved.store.write(kept, b"")
    saved.save(state(50), 50, {})
    saved.save(state(60), 60, {})
    assert saved.store.exists(kept)
