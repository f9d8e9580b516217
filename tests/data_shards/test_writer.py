import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from data_shards.build.folder import build_folder
from data_shards.build.openmoji import build_openmoji
from data_shards.errors import DataError
from data_shards.manifest import FILE, Manifest


def content(folder: str | Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def test_equal_input_gives_equal_bytes(emojis: Manifest, tmp_path: Path) -> None:
    build_openmoji(str(tmp_path / "again"), size=32, limit=120)
    assert content(tmp_path / "again") == content(emojis.uri)


def test_a_second_build_does_nothing(negatives: Manifest) -> None:
    source = str(Path(negatives.uri).parent / "source")
    before = {file: file.stat().st_mtime_ns for file in Path(negatives.uri).iterdir()}
    report = build_folder(negatives.uri, source=source, paired=True, validation=0.25)
    assert report.up_to_date
    assert report.sha256 == negatives.sha256
    assert {file: file.stat().st_mtime_ns for file in Path(negatives.uri).iterdir()} == before


def test_what_is_there_is_never_replaced(negatives: Manifest, tmp_path: Path) -> None:
    source = str(Path(negatives.uri).parent / "source")
    with pytest.raises(DataError, match="holds other shards: size unset there, 16 wanted; give another place"):
        build_folder(negatives.uri, source=source, paired=True, validation=0.25, size=16)
    with pytest.raises(DataError, match="holds other shards: name source there, openmoji wanted"):
        build_openmoji(negatives.uri)
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(DataError, match="is not empty and holds no shards"):
        build_openmoji(str(tmp_path))
    with pytest.raises(DataError, match="is a file"):
        build_openmoji(str(tmp_path / "precious"))
    with pytest.raises(DataError, match="validation share of 1 is not in"):
        build_openmoji(str(tmp_path / "new"), limit=5, validation=1)


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_openmoji(str(tmp_path / "out"), size=16, limit=20, progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_build_leaves_nothing_for_long(tmp_path: Path) -> None:
    code = (
        "from data_shards.build.openmoji import build_openmoji\n"
        f"build_openmoji({str(tmp_path / 'out')!r}, progress=lambda done, total: print(done, flush=True))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert child.stdout is not None
    with child, child.stdout:
        child.stdout.readline()
        assert not (tmp_path / "out").exists()
        os.kill(child.pid, signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == 1
    build_openmoji(str(tmp_path / "out"), size=16, limit=20)
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_the_manifest_tells_the_truth_about_every_picture(negatives: Manifest) -> None:
    for domain, facts in negatives.domains.items():
        assert (facts.width, facts.height, facts.channels) == (12, 12, 3)
        for split, count in (("train", facts.train), ("validation", facts.validation)):
            keys = negatives.keys(domain, split)
            assert len(keys) == count > 0
            for key in keys:
                row = negatives.row(domain, key)
                assert (row.split, row.domain, row.key) == (split, domain, key)
                data = negatives.store.read_range(row.shard, row.offset, row.size)
                assert data.startswith(b"\x89PNG")
                assert data.endswith(b"IEND\xaeB`\x82")
    assert negatives.pairs("train") == negatives.keys("a", "train")


def test_manifests_that_cannot_be_read_say_why(negatives: Manifest, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no shards"):
        Manifest.open(str(tmp_path))
    with pytest.raises(DataError, match="has no picture 'nobody' in domain a"):
        negatives.row("a", "nobody")
    with pytest.raises(DataError, match="unknown split 'trian'; nearest: train"):
        negatives.keys("a", "trian")
    (tmp_path / FILE).write_bytes(b"not parquet")
    with pytest.raises(DataError, match="is not a manifest"):
        Manifest.open(str(tmp_path))
    table = parquet.ParquetFile(f"{negatives.uri}/{FILE}").read()
    head = table.schema.metadata[b"i2i-shards"].replace(b'"format": 1', b'"format": 4')
    parquet.write_table(table.replace_schema_metadata({b"i2i-shards": head}), tmp_path / FILE)
    with pytest.raises(DataError, match="has format 4, this version reads up to 3; use the newer i2i-cluster"):
        Manifest.open(str(tmp_path))
    parquet.write_table(table.replace_schema_metadata({}), tmp_path / FILE)
    with pytest.raises(DataError, match="Parquet file of something else"):
        Manifest.open(str(tmp_path))
