"""The manifest: one Parquet file beside the shards that says what every picture is, where it lies and how to check
it.

Its sha256 names the data set: rows carry a checksum of each picture, so whoever has the manifest's hash has fixed
every byte that a training can read. Opening one needs no torch and reads no shard.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from data_shards.errors import DataError, has
from data_shards.split import SPLITS, TRAIN, VALIDATION
from data_shards.store import Store, open_store

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "manifest.parquet"
FORMAT = 1  # raised when an old reader would misread a new file
# What pyarrow, JSON and the lines here raise for bytes that no manifest consists of.
_DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, OverflowError, MemoryError)
_HEAD = b"i2i-shards"  # the Parquet metadata key that holds the head as JSON


@dataclass(frozen=True, slots=True)
class Row:
    """One picture: bytes [offset, offset + size) of `shard`, with their CRC32C. `cls` and `text` may be unknown."""

    shard: str
    offset: int
    size: int
    key: str
    domain: str
    cls: str | None
    text: str | None
    split: str
    crc32c: int


@dataclass(frozen=True, slots=True)
class Domain:
    """One side of a translation: the shape its pictures are stored in (pixels) and how many there are per split."""

    channels: int
    width: int
    height: int
    train: int
    validation: int


@dataclass(frozen=True, slots=True)
class Shard:
    """One tar file: its length in bytes and the hex sha256 of its content."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Head:
    """What the manifest says once, not per picture. `shapes`: domain -> (channels, width, height)."""

    name: str
    shapes: Mapping[str, tuple[int, int, int]]
    shards: Mapping[str, Shard]
    classes: tuple[str, ...]  # a class's place here is the number that stands in the shards' .cls files
    recipe: Mapping[str, Any]  # what the builder was asked for and from which sources: equal recipe, equal data set
    notes: tuple[str, ...] = ()  # what the builder left out or changed, in words
    license: str = ""


class Manifest:
    """A manifest that was read. Lists are sorted and are the caller's to keep."""

    uri: str
    sha256: str  # of the manifest file, hex: the identity of the data set
    head: Head
    domains: dict[str, Domain]

    def __init__(self, store: Store, data: bytes) -> None:
        import pyarrow.parquet as parquet  # slow to import, and not every command needs it
        from pyarrow import ArrowException, BufferReader

        self.uri = store.uri
        self.store = store
        self.sha256 = hashlib.sha256(data).hexdigest()
        try:
            # Not read_table: its scanner's threads now and then abort a process that ends soon after.
            file = parquet.ParquetFile(BufferReader(data), pre_buffer=False, page_checksum_verification=True)
            table = file.read(use_threads=False)
            self._table: pa.Table = table.combine_chunks()
            self._table.validate(full=True)
            self.head = _read_head(store.uri, self._table.schema.metadata or {})
            self._check_rows()
            self.domains = {name: self._domain(name, shape) for name, shape in sorted(self.head.shapes.items())}
        except DataError:
            raise
        except (ArrowException, *_DAMAGE) as broken:
            raise DataError(f"{store.uri}/{FILE} is not a manifest (damaged?); build the shards again") from broken

    @classmethod
    def open(cls, uri: str) -> "Manifest":
        """The manifest of the shards at `uri` (a folder). Raises DataError where there is none or a newer one."""
        store = open_store(uri)
        try:
            return cls(store, store.read(FILE))
        except (FileNotFoundError, NotADirectoryError):
            raise DataError(f"{store.uri} holds no shards (no {FILE}); `i2i-cluster shards build` makes them") from None

    @property
    def name(self) -> str:
        """What the data set is called, for example "openmoji"."""
        return self.head.name

    @property
    def shards(self) -> Mapping[str, Shard]:
        """The tar files by name."""
        return self.head.shards

    def keys(self, domain: str, split: str = TRAIN) -> list[str]:
        """The keys of a domain's pictures in a split, sorted."""
        if split not in SPLITS:
            raise DataError(f"unknown split {split!r}{has(split, SPLITS)}")
        splits = self._codes["split"]
        wanted = self._names["split"].index(split) if split in self._names["split"] else -1
        return sorted(key for key, i in self._find(domain).items() if splits[i] == wanted)

    def pairs(self, split: str = TRAIN) -> list[str]:
        """The keys that have a picture in every domain in this split, sorted; none where there is only one domain."""
        sets = [set(self.keys(domain, split)) for domain in self.domains]
        return sorted(set.intersection(*sets)) if len(sets) > 1 else []

    def row(self, domain: str, key: str) -> Row:
        """All that is known about one picture."""
        rows = self._find(domain)
        if key not in rows:
            raise DataError(f"{self.uri} has no picture {key!r} in domain {domain}")
        i = rows[key]
        return Row(
            shard=self._names["shard"][self._codes["shard"][i]],
            offset=int(self._numbers["offset"][i]),
            size=int(self._numbers["size"][i]),
            key=key,
            domain=domain,
            cls=self._table["class"][i].as_py(),
            text=self._table["text"][i].as_py(),
            split=self._names["split"][self._codes["split"][i]],
            crc32c=int(self._numbers["crc32c"][i]),
        )

    # Columns stay in numpy and Arrow, a few bytes per row: as Python objects a million rows would take a gigabyte.

    @cached_property
    def _numbers(self) -> dict[str, Any]:
        return {name: self._table[name].to_numpy() for name in ("offset", "size", "crc32c")}

    @cached_property
    def _dictionaries(self) -> dict[str, Any]:
        columns = {name: self._table[name].combine_chunks() for name in ("shard", "domain", "split")}
        return {name: column.dictionary_encode() for name, column in columns.items()}

    @cached_property
    def _codes(self) -> dict[str, Any]:
        return {name: column.indices.to_numpy() for name, column in self._dictionaries.items()}

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        return {name: column.dictionary.to_pylist() for name, column in self._dictionaries.items()}

    @cached_property
    def _index(self) -> dict[str, dict[str, int]]:
        keys, codes, names = self._table["key"].to_pylist(), self._codes["domain"], self._names["domain"]
        index: dict[str, dict[str, int]] = {name: {} for name in self.domains}
        for i, (key, code) in enumerate(zip(keys, codes.tolist(), strict=True)):
            index[names[code]][key] = i
        return index

    def _check_rows(self) -> None:
        """ValueError unless the columns are a manifest's, and name domains and splits that there are."""
        if [(field.name, field.type) for field in self._table.schema] != list(_columns().items()):
            raise ValueError("other columns")
        if not (set(self._names["domain"]) <= set(self.head.shapes) and set(self._names["split"]) <= set(SPLITS)):
            raise ValueError("unknown domain or split")

    def _find(self, domain: str) -> dict[str, int]:
        if domain not in self.domains:
            raise DataError(f"{self.uri} has no domain {domain!r}{has(domain, self.domains)}")
        return self._index[domain]

    def _domain(self, name: str, shape: tuple[int, int, int]) -> Domain:
        mine = (self._codes["domain"] == self._names["domain"].index(name)).nonzero()[0]
        sides = [self._names["split"][code] for code in self._codes["split"][mine].tolist()]
        return Domain(*shape, train=sides.count(TRAIN), validation=sides.count(VALIDATION))


def manifest_bytes(head: Head, rows: Iterable[Row]) -> bytes:
    """The manifest file for these rows: equal input gives equal bytes (for one version of pyarrow)."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    types = _columns()
    columns = {"cls" if name == "class" else name: type_ for name, type_ in types.items()}
    listed = list(rows)
    schema = pa.schema(
        list(types.items()), metadata={_HEAD: json.dumps({"format": FORMAT, **asdict(head)}, sort_keys=True)}
    )
    arrays = [pa.array([getattr(row, name) for row in listed], type_) for name, type_ in columns.items()]
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays(arrays, schema=schema)
    parquet.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())


def _columns() -> dict[str, "pa.DataType"]:
    """Column name -> type, in the file's order."""
    import pyarrow as pa

    return {
        "shard": pa.string(),
        "offset": pa.int64(),
        "size": pa.int64(),
        "key": pa.string(),
        "domain": pa.string(),
        "class": pa.string(),
        "text": pa.string(),
        "split": pa.string(),
        "crc32c": pa.uint32(),
    }


def _read_head(uri: str, metadata: Mapping[bytes, bytes]) -> Head:
    if _HEAD not in metadata:
        raise DataError(f"{uri}/{FILE} is a Parquet file of something else; build the shards again")
    head = json.loads(metadata[_HEAD])
    if head["format"] > FORMAT:
        raise DataError(
            f"{uri}/{FILE} has format {head['format']}, this version reads up to {FORMAT}; "
            "use the newer i2i-cluster that made it"
        )
    return Head(
        name=head["name"],
        shapes={name: _shape(shape) for name, shape in head["shapes"].items()},
        shards={name: Shard(**shard) for name, shard in head["shards"].items()},
        classes=tuple(head["classes"]),
        recipe=head["recipe"],
        notes=tuple(head["notes"]),
        license=head["license"],
    )


def _shape(numbers: list[int]) -> tuple[int, int, int]:
    channels, width, height = numbers
    if channels not in (1, 3) or not (isinstance(width, int) and isinstance(height, int) and width > 0 < height):
        raise ValueError(f"no picture has the shape {numbers}")
    return channels, width, height
