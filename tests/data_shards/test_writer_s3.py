"""Builds at an s3 address: the same data set as in a folder, or none."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from data_shards.build.folder import build_folder
from data_shards.build.openmoji import build_openmoji
from data_shards.build.publish import MARKER
from data_shards.errors import DataError
from data_shards.manifest import FILE, Manifest
from data_shards.manifest_file import ETAGS
from data_shards.store import open_store
from tests.data_shards.showing import stored


@pytest.fixture
def source(negatives: Manifest) -> str:
    return str(Path(negatives.uri).parent / "source")


def test_it_is_the_same_data_set(bucket: str, negatives: Manifest, source: str) -> None:
    told: list[tuple[int, int]] = []
    report = build_folder(
        bucket, source=source, paired=True, validation=0.25, upload=lambda done, total: told.append((done, total))
    )
    assert (report.sha256, report.up_to_date) == (negatives.sha256, False)
    assert told == [(1, 2), (2, 2)]
    store, manifest = open_store(bucket), Manifest.open(bucket)
    assert store.list() == sorted([ETAGS, FILE, *manifest.shards])
    assert all(store.read(name) == negatives.store.read(name) for name in [FILE, *manifest.shards])
    assert dict(manifest.etags) == {name: store.entries()[name].etag for name in manifest.shards}
    key = manifest.pairs()[0]
    assert stored(manifest, "a", key) == stored(negatives, "a", key)
    assert build_folder(bucket, source=source, paired=True, validation=0.25).up_to_date
    with pytest.raises(DataError, match=r"holds other shards: validation 0\.25 there, 0\.5 wanted; give another place"):
        build_folder(bucket, source=source, paired=True, validation=0.5)


def test_what_is_in_the_way_is_never_touched(bucket: str, source: str) -> None:
    store = open_store(bucket)
    store.write("train-ab-000000.tar", b"somebody's")
    with pytest.raises(DataError, match=r"is not empty and holds no shards \(there is train-ab-000000.tar\)"):
        build_folder(bucket, source=source, paired=True)
    store.write(MARKER, b"{}")
    store.write("precious/notes.txt", b"mine")
    with pytest.raises(DataError, match=r"\(there is precious/notes.txt\); give another address"):
        build_folder(bucket, source=source, paired=True)
    assert store.read("train-ab-000000.tar") == b"somebody's"


def test_a_killed_build_leaves_no_manifest_and_the_next_one_finishes_it(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import sys, time\n"
        "from data_shards.build.openmoji import build_openmoji\n"
        "def stop(done, total):\n"
        "    print(done, flush=True)\n"
        "    sys.stdin.read()\n"
        f"build_openmoji({bucket!r}, size=16, limit=40, upload=stop)"
    )
    root, environment = Path(__file__).parents[2], {**os.environ, "TMPDIR": str(tmp_path)}
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root,
                             env=environment)  # fmt: skip
    assert child.stdout is not None
    with child:
        child.stdout.readline()  # one shard has arrived
        os.kill(child.pid, signal.SIGKILL)
    store = open_store(bucket)
    assert len(list(tmp_path.iterdir())) == 1
    assert MARKER in store.list()
    assert "what" in json.loads(store.read(MARKER))
    with pytest.raises(DataError, match="holds no shards"):
        Manifest.open(bucket)
    store.write("train-ab-000009.tar", b"of another build")
    local = build_openmoji(str(tmp_path / "local"), size=16, limit=30)
    report = build_openmoji(bucket, size=16, limit=30)
    assert report.sha256 == local.sha256
    assert store.list() == sorted([ETAGS, FILE, *Manifest.open(bucket).shards])
    assert [path.name for path in tmp_path.iterdir()] == ["local"], "nor does the killed one's folder stay"


def test_a_build_killed_at_its_very_end_is_whole(bucket: str) -> None:
    build_openmoji(bucket, size=16, limit=30)
    store = open_store(bucket)
    store.write(MARKER, b"{}")
    assert build_openmoji(bucket, size=16, limit=30).up_to_date
    assert MARKER not in store.list()
