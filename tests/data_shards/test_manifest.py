"""A manifest's rows: found by domain, split and key as a plain walk over them would, and refused where they lie."""

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from data_shards.errors import DataError
from data_shards.manifest import FILE, Head, Manifest, Row, Shard, manifest_bytes
from data_shards.manifest_file import ETAGS, etags_bytes, place_of
from data_shards.store import FolderStore, open_store

HEAD = Head("toy", {"a": (3, 8, 8), "b": (3, 8, 8), "c": (1, 8, 8)}, {f"{i}.tar": Shard(10_000, "") for i in range(7)},
            ("one", "two"), {})  # fmt: skip


def rows_of(seed: int, count: int = 400) -> list[Row]:
    """Rows in no order; keys of one to four letters of one to four bytes, so that their orders differ."""
    numbers = random.Random(seed)
    named = {(d, "".join(numbers.choices("aZ\u00e9\uffee\U0001f600", k=numbers.randint(1, 4)))) for d in "abc" * count}
    return [
        Row(f"{numbers.randrange(7)}.tar", numbers.randrange(9000), numbers.randrange(1000), key, domain,
            numbers.choice(["one", "two", None]), numbers.choice(["text", None]),
            "train" if len(key) % 4 else "validation", numbers.randrange(2**32))
        for domain, key in numbers.sample(sorted(named), len(named))
    ]  # fmt: skip


def opened(folder: Path, rows: list[Row], head: Head = HEAD) -> Manifest:
    FolderStore(folder).write(FILE, manifest_bytes(head, rows))
    return Manifest.open(str(folder))


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_found_as_by_a_plain_walk(tmp_path: Path, seed: int) -> None:
    rows = rows_of(seed)
    manifest = opened(tmp_path, rows)
    assert [manifest.row_at(i) for i in range(len(rows))] == rows
    for split in ("train", "validation"):
        keys = {d: sorted(row.key for row in rows if (row.domain, row.split) == (d, split)) for d in "abc"}
        for domain in "abc":
            selected = [manifest.row_at(i) for i in manifest.select(domain, split)]
            assert [row.key for row in selected] == keys[domain] == manifest.keys(domain, split)
            assert {(row.domain, row.split) for row in selected} == {(domain, split)}
            assert getattr(manifest.domains[domain], split) == len(selected)
        for domains in (["b", "a"], ["a", "b", "c"], ["c"]):
            shared = sorted(set.intersection(*(set(keys[domain]) for domain in domains)))
            joined = manifest.join(domains, split)
            assert list(joined) == domains
            for domain, found in joined.items():
                assert [manifest.row_at(i).key for i in found] == shared
                assert {manifest.row_at(i).domain for i in found} == {domain}
        assert manifest.pairs(split) == shared_by_all(keys)
    for i in random.Random(seed).sample(range(len(rows)), 50):
        assert manifest.row(rows[i].domain, rows[i].key) == rows[i]
        assert manifest.shard_names[manifest.shard_codes[i]] == rows[i].shard
        assert [*manifest.class_names, None][manifest.class_codes[i]] == rows[i].cls
        assert (manifest.offsets[i], manifest.sizes[i], manifest.crcs[i]) == (
            rows[i].offset,
            rows[i].size,
            rows[i].crc32c,
        )


def shared_by_all(keys: dict[str, list[str]]) -> list[str]:
    return sorted(set.intersection(*map(set, keys.values())))


def test_row_groups_with_names_of_their_own(tmp_path: Path) -> None:
    rows = rows_of(5, 60)
    opened(tmp_path, rows)
    table = parquet.ParquetFile(tmp_path / FILE).read()
    parquet.write_table(table, tmp_path / FILE, row_group_size=7, write_page_checksum=True)
    manifest = Manifest.open(str(tmp_path))
    assert [manifest.row_at(i) for i in range(len(rows))] == rows
    assert manifest.keys("b") == sorted(row.key for row in rows if (row.domain, row.split) == ("b", "train"))


def test_what_nobody_has_is_told(tmp_path: Path) -> None:
    manifest = opened(tmp_path, rows_of(0, 20))
    for key in ("", "nobody", "\U0001f601", "\ud800"):
        with pytest.raises(DataError, match=r"has no picture .* in domain a"):
            manifest.row("a", key)
    with pytest.raises(DataError, match="has no domain 'd'; has: a, b, c"):
        manifest.select("d")
    with pytest.raises(DataError, match="unknown split 'trian'; nearest: train"):
        manifest.join(["a", "b"], "trian")


def test_a_manifest_of_one_domain_or_no_rows(tmp_path: Path) -> None:
    head = replace(HEAD, shapes={"a": (3, 8, 8)})
    manifest = opened(tmp_path, [], head)
    assert (manifest.keys("a"), manifest.pairs(), manifest.domains["a"].train) == ([], [], 0)
    rows = [row for row in rows_of(1, 20) if row.domain == "a"]
    assert opened(tmp_path, rows, head).join(["a"], "train")["a"].size == sum(row.split == "train" for row in rows)


PLAIN = Row("0.tar", 0, 9, "k", "a", None, None, "train", 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shard": "9.tar"}, {"domain": "d"}, {"split": "test"}, {"cls": "three"},
        {"offset": -1}, {"size": -1}, {"offset": 9_992}, {"size": 10_001}, {"offset": 2**63 - 1, "size": 2**63 - 1},
    ],
)  # fmt: skip
def test_rows_that_cannot_be_right_are_damage(tmp_path: Path, wrong: dict[str, Any]) -> None:
    opened(tmp_path, [PLAIN, replace(PLAIN, domain="b")])
    with pytest.raises(DataError, match=r"manifest\.parquet is not a manifest \(damaged\?\); build the shards again"):
        opened(tmp_path, [PLAIN, replace(PLAIN, **{"domain": "b", **wrong})])


@pytest.mark.parametrize("column", ["shard", "offset", "key", "domain", "split", "crc32c"])
def test_a_row_with_something_missing_is_damage(tmp_path: Path, column: str) -> None:
    opened(tmp_path, [PLAIN])
    table = parquet.ParquetFile(tmp_path / FILE).read()
    place, field = table.schema.get_field_index(column), table.schema.field(column)
    parquet.write_table(table.set_column(place, field, pa.nulls(1, field.type)), tmp_path / FILE)
    with pytest.raises(DataError, match="is not a manifest"):
        Manifest.open(str(tmp_path))


def test_a_key_twice_in_one_domain_is_refused(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        manifest = opened(tmp_path, [PLAIN, replace(PLAIN, domain="b"), replace(PLAIN, offset=50, split=split)])
        with pytest.raises(DataError, match=r"manifest\.parquet has 'k' twice in domain a; build the shards again"):
            manifest.join(["a", "b"])


OLD_HEAD = Head(
    name="old", shapes={"a": (3, 8, 8), "b": (1, 9, 7)}, shards={"train-ab-000000.tar": Shard(9000, "5" * 64)},
    classes=("cat", "caf\u00e9"), recipe={"arguments": {"size": None}, "builder": 1, "name": "old", "sources": "0"},
    notes=("a note",), license="CC0",
)  # fmt: skip
OLD_ROWS = [
    Row("train-ab-000000.tar", 512 * i, 10 * i, f"key-{i // 2}", "ab"[i % 2], ("cat", "caf\u00e9", None)[i % 3],
        f"text {i}" if i % 5 else None, "validation" if i < 4 else "train", 2**32 - 1 - i)
    for i in range(16)
]  # fmt: skip


def test_a_manifest_of_the_first_format_is_read_and_still_written_so(tmp_path: Path) -> None:
    """The file is of a version that gave the head no checksum: all else is as it was."""
    old = (Path(__file__).parent / "manifest-format-1.parquet").read_bytes()
    (tmp_path / FILE).write_bytes(old)
    manifest = Manifest.open(str(tmp_path))
    assert manifest.head == OLD_HEAD
    assert [manifest.row_at(i) for i in range(16)] == OLD_ROWS
    written = manifest_bytes(OLD_HEAD, iter(OLD_ROWS))
    tables = [parquet.ParquetFile(pa.BufferReader(data)).read() for data in (old, written)]
    assert tables[0].equals(tables[1])
    heads = [json.loads(table.schema.metadata[b"i2i-shards"]) for table in tables]
    assert heads[1] == {**heads[0], "check": hashlib.sha256(json.dumps(heads[0], sort_keys=True).encode()).hexdigest()}
    assert manifest_bytes(OLD_HEAD, iter(OLD_ROWS)) == written


def test_no_flipped_bit_of_the_footer_goes_unnoticed(tmp_path: Path) -> None:
    head = replace(OLD_HEAD, labels={"b": ("sky", "sea")}, home=str(tmp_path / "shards"))
    good = manifest_bytes(head, iter(OLD_ROWS))
    store, footer = FolderStore(tmp_path), int.from_bytes(good[-8:-4], "little")
    refused = 0
    for place in range(len(good) - 8 - footer, len(good)):
        flipped = bytearray(good)
        flipped[place] ^= 1 << place % 7
        try:
            there = Manifest(store, bytes(flipped))
        except DataError:
            refused += 1
        else:
            assert there.head == head
            assert [there.row_at(i) for i in range(16)] == OLD_ROWS
    assert refused > footer / 4


def test_a_head_that_was_changed_is_damage(tmp_path: Path) -> None:
    head = replace(HEAD, labels={"c": ("sky", "sea")}, home=str(tmp_path))
    opened(tmp_path, [PLAIN], head)
    table = parquet.ParquetFile(tmp_path / FILE).read()
    whole = json.loads(table.schema.metadata[b"i2i-shards"])
    rest = {name: value for name, value in whole.items() if name != "check"}
    for told, good in (
        (whole, True),
        (rest, True),
        ({**whole, "shapes": {**whole["shapes"], "a": [1, 8, 8]}}, False),
        ({name: value for name, value in whole.items() if name != "labels"}, False),
        ({name: value for name, value in whole.items() if name != "home"}, False),
        ({**whole, "check": whole["check"].upper()}, False),
    ):
        changed = table.replace_schema_metadata({"i2i-shards": json.dumps(told)})
        parquet.write_table(changed, tmp_path / FILE, write_page_checksum=True)
        if good:
            assert Manifest.open(str(tmp_path)).head == head
        else:
            with pytest.raises(DataError, match=r"is not a manifest \(damaged\?\); build the shards again"):
                Manifest.open(str(tmp_path))
    deep = table.replace_schema_metadata({"i2i-shards": "[" * 200_000})
    parquet.write_table(deep, tmp_path / FILE, write_page_checksum=True)
    with pytest.raises(DataError, match=r"is not a manifest \(damaged\?\); build the shards again"):
        Manifest.open(str(tmp_path))


def test_what_a_data_set_does_not_use_is_not_written() -> None:
    head = HEAD.record()
    assert head["format"] == 1
    assert not {"home", "labels"} & head.keys()
    assert replace(HEAD, labels={"c": ("sky", "sea")}).record()["format"] == 1
    assert replace(HEAD, home="s3://bucket/x").record()["format"] == 2, "an older reader would miss the shards"


def test_labels_and_home_are_kept(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/0.tar").write_bytes(b"123456789")
    head = replace(HEAD, labels={"c": ("sky", "sea")}, home=str(tmp_path / "shards"))
    manifest = opened(tmp_path / "m", [PLAIN], head)
    assert manifest.head == head
    assert manifest.uri == str(tmp_path / "m")
    assert manifest.store.read_range("0.tar", 2, 3) == b"345"


def test_etags_hold_for_one_manifest_in_one_place(tmp_path: Path) -> None:
    manifest = opened(tmp_path, [PLAIN])
    assert manifest.etags == {}
    tags = {"0.tar": "abc"}
    for told, expected in (
        (etags_bytes(manifest.sha256, manifest.uri, tags), tags),
        (etags_bytes("0" * 64, manifest.uri, tags), {}),
        (etags_bytes(manifest.sha256, "s3://elsewhere/x", tags), {}),
    ):
        (tmp_path / ETAGS).write_bytes(told)
        assert Manifest.open(str(tmp_path)).etags == expected
    for damaged in (b"[]", b"[" * 200_000):
        (tmp_path / ETAGS).write_bytes(damaged)
        with pytest.raises(DataError, match=r"etags\.json is damaged; delete it"):
            assert Manifest.open(str(tmp_path)).etags


def test_an_address_is_the_same_place_however_one_gets_there() -> None:
    there = "s3://bucket/x?endpoint=http://127.0.0.1:1"
    assert place_of(f"{there}&profile=me&deadline=5m") == place_of(there) == str(open_store(there).uri)
    assert place_of("s3://bucket/x") != place_of(there)
    assert place_of("/folder") == "/folder"
