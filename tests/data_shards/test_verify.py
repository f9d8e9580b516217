"""Damage of every kind is found, and the samples that it hits are named."""

import shutil
from pathlib import Path

import pytest

from data_shards.build.folder import build_folder
from data_shards.check.verify import ShardReport, VerifyReport, verify
from data_shards.errors import DataError
from data_shards.index.index import IndexRequest, index
from data_shards.manifest import Manifest
from data_shards.manifest_file import ETAGS, etags_bytes
from data_shards.store import open_store
from tests.data_shards.tars import picture, write_tar

SHARD = "train-ab-000000.tar"


@pytest.fixture
def copied(negatives: Manifest, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(negatives.uri, tmp_path / "copy"))


def flip(file: Path, place: int) -> None:
    damaged = bytearray(file.read_bytes())
    damaged[place] ^= 1
    file.write_bytes(damaged)


def of(report: VerifyReport, name: str) -> ShardReport:
    (found,) = (shard for shard in report.shards if shard.name == name)
    return found


def test_a_good_data_set(copied: Path, negatives: Manifest) -> None:
    told: list[tuple[int, int]] = []
    report = verify(str(copied), decode_too=True, progress=lambda done, total: told.append((done, total)))
    assert report.good
    assert report.sha256 == negatives.sha256
    assert [shard.name for shard in report.shards] == sorted(negatives.shards)
    assert sum(shard.pictures for shard in report.shards) == 80
    assert told == [(1, 2), (2, 2)]


def test_a_flipped_bit_names_the_sample_that_it_hits(copied: Path, negatives: Manifest) -> None:
    key = negatives.pairs("train")[3]
    row = negatives.row("b", key)
    flip(copied / row.shard, row.offset + row.size - 1)
    report = verify(str(copied))
    assert not report.good
    (sample,) = of(report, row.shard).samples
    assert (sample.domain, sample.key) == ("b", key)
    assert sample.problem.startswith("has crc32c ")
    assert sample.problem.endswith(f"the manifest says {row.crc32c:08x}")
    (problem,) = of(report, row.shard).problems
    assert problem.endswith(f"the manifest says {negatives.shards[row.shard].sha256[:12]}")
    assert all(shard.good for shard in report.shards if shard.name != row.shard)


def test_damage_between_the_pictures_hits_none(copied: Path) -> None:
    flip(copied / SHARD, (copied / SHARD).stat().st_size - 1)
    report = of(verify(str(copied)), SHARD)
    assert not report.samples
    assert report.problems[0].endswith("; no picture is hit")


def test_a_damaged_tar_header_is_told_from_a_damaged_picture(copied: Path) -> None:
    manifest = Manifest.open(str(copied))
    rows = (row for row in map(manifest.row_at, range(80)) if row.shard == SHARD)
    first, other, *_ = sorted(rows, key=lambda row: row.offset)
    for row in (other, first):
        flip(copied / SHARD, row.offset - 512 + 5)
        report = of(verify(str(copied)), SHARD)
        assert not report.samples
        assert report.problems[0].endswith(
            f"; no picture is hit; the tar header of {row.key} in domain {row.domain} at byte {row.offset - 512:,} is "
            "damaged, and other readers stop there"
        )
    flip(copied / SHARD, first.offset)
    report = of(verify(str(copied)), SHARD)
    assert [sample.key for sample in report.samples] == [first.key]
    assert "no picture is hit" not in report.problems[0]
    assert "; the tar header of " in report.problems[0]


def test_cut_missing_and_foreign_shards(copied: Path, negatives: Manifest) -> None:
    whole = (copied / SHARD).read_bytes()
    (copied / SHARD).write_bytes(whole[: len(whole) // 2])
    (copied / "sub").mkdir()
    shutil.copy(copied / SHARD, copied / "sub/other.tar")
    report = verify(str(copied))
    hit = of(report, SHARD)
    assert hit.problems[0] == f"holds {len(whole) // 2:,} bytes, the manifest says {len(whole):,}"
    behind = sum(negatives.offsets[i] + negatives.sizes[i] > len(whole) // 2 for i in range(80)
                 if negatives.row_at(i).shard == SHARD)  # fmt: skip
    assert len(hit.samples) == behind > 5
    assert report.extra == ["sub/other.tar"]
    (copied / SHARD).unlink()
    report = verify(str(copied))
    assert of(report, SHARD) == ShardReport(SHARD, hit.pictures, len(whole), ["is missing"])
    assert not report.good


def test_files_that_nobody_asked_for_are_no_damage(copied: Path) -> None:
    shutil.copy(copied / SHARD, copied / "other.tar")
    report = verify(str(copied))
    assert (report.good, report.extra) == (True, ["other.tar"])


def test_a_picture_that_was_never_whole_is_found_by_decoding_alone(tmp_path: Path) -> None:
    cut = picture(0, size=(64, 64))
    write_tar(tmp_path / "0.tar", {"0.a.png": cut[: len(cut) // 2], "1.a.png": picture(1)})
    index(IndexRequest(str(tmp_path), validation=0))
    assert verify(str(tmp_path)).good
    report = verify(str(tmp_path), decode_too=True)
    (sample,) = report.shards[0].samples
    assert (sample.domain, sample.key) == ("a", "0")
    assert sample.problem.startswith("cannot be decoded: ")
    assert report.shards[0].problems == []


def test_another_etag_is_told_as_readers_would_refuse_it(copied: Path) -> None:
    manifest = Manifest.open(str(copied))
    (copied / ETAGS).write_bytes(etags_bytes(manifest.sha256, manifest.uri, {SHARD: "other"}))
    (problem,) = of(verify(str(copied)), SHARD).problems
    assert problem == "was written again with the same content, so its ETag is another; index it again"


def test_where_there_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no shards"):
        verify(str(tmp_path))


def test_shards_in_an_object_store(bucket: str, negatives: Manifest, tmp_path: Path) -> None:
    source = Path(negatives.uri).parent / "source"
    build_folder(bucket, source=str(source), paired=True, validation=0.25)
    assert verify(bucket, decode_too=True).good
    store = open_store(bucket)
    row = negatives.row("a", negatives.pairs("train")[0])
    damaged = tmp_path / "damaged.tar"
    shutil.copy(Path(negatives.uri) / row.shard, damaged)
    flip(damaged, row.offset + 40)
    store.upload(row.shard, damaged)
    store.delete("validation-ab-000000.tar")
    report = verify(bucket)
    assert [(sample.domain, sample.key) for sample in of(report, row.shard).samples] == [("a", row.key)]
    assert of(report, "validation-ab-000000.tar").problems == ["is missing"]
