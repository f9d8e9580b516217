"""What happens to checkpoints while they are written: a crash at any moment, a full disk, a store that deletes nothing."""

import errno
import logging
import os
import subprocess
from pathlib import Path

import pytest

from cluster.checkpoints.folder import Checkpoints
from data_shards.errors import DataError
from data_shards.store import FolderStore
from tests.cluster.checkpointing import FOLDER, Crash, CrashingStore, is_whole, names, state, taken
from trainers.checkpoint import MANIFEST


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
            after = Checkpoints(FolderStore(store.root), FOLDER, 1)
            assert all(after.load(step).step == step for step in after.steps()), "whatever counts as one is whole"
            found = taken(after.begin())
            assert is_whole(found)
            assert not after.look().torn, "what was torn is swept up"
            survived.append(found.step)
    assert survived == [20, 20, 30, 30], "the state, its manifest, then the two files of the oldest: its manifest first"


class DeniesDeletes(FolderStore):
    def delete(self, path):
        raise DataError(f"{path}: access denied")


def test_a_store_that_deletes_nothing_is_no_failure(tmp_path, caplog):
    checkpoints = Checkpoints(DeniesDeletes(tmp_path), FOLDER)
    with caplog.at_level(logging.WARNING):
        for step in (10, 20, 30):
            checkpoints.save(state(step), step, {})
    assert checkpoints.steps() == [10, 20, 30]
    assert caplog.messages == [
        f"old checkpoints could not be deleted: {FOLDER}/step-00000010/{MANIFEST}: access denied"
    ]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs to mount a tmpfs: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_costs_the_checkpoint_and_nothing_else(small_disk):
    checkpoints = Checkpoints(FolderStore(small_disk), FOLDER)
    checkpoints.save(state(10, 50_000), 10, {})
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoints.save(state(20, 250_000), 20, {})
    assert caught.value.errno == errno.ENOSPC
    assert Path(caught.value.filename).is_relative_to(small_disk), "it says where"
    assert names(checkpoints.store) == ["step-00000010"]
    assert not list(small_disk.rglob(".tmp-*"))
    checkpoints.save(state(30, 50_000), 30, {})
    assert checkpoints.steps() == [10, 30], "the room was given back"


def test_a_disk_that_holds_the_state_but_not_its_manifest_is_given_back(tmp_path):
    class Full(FolderStore):
        def write(self, path, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    checkpoints = Checkpoints(Full(tmp_path), FOLDER)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(state(10), 10, {})
    assert list((tmp_path / FOLDER).iterdir()) == []
