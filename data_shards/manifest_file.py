"""The bytes of a manifest: what stands in the file, how it is written, and how what was read is checked.

The surprise is what is left out: a field that a data set does not use is not written at all, so that the manifests of
data sets that never needed it keep their bytes, and with them their identity. Parquet has checksums of the rows only;
the head brings its own.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_shards.address import Address, is_remote, join, parse
from data_shards.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

FILE = "manifest.parquet"
ETAGS = "etags.json"  # beside the manifest, not in it: the same data set in another place has other ETags
FORMAT = 1  # raised when an old reader would misread a new file
FORMAT_ELSEWHERE = 2  # of a manifest whose shards lie elsewhere: a reader that does not know `home` would miss them
FORMAT_ATTRIBUTES = 3  # of a manifest with attributes: a reader that does not know their column would call it damaged
_HEAD = b"i2i-shards"  # the Parquet metadata key that holds the head as JSON
_CHECK = "check"  # the head's key of its own checksum; files of earlier versions have none
_CODED = ("shard", "domain", "class", "split")  # columns of few values, kept as codes from the file to the training
_OPTIONAL = ("class", "text", "attributes")
_BATCH = 1 << 16  # rows that are Python objects at one time while a manifest is written


@dataclass(frozen=True, slots=True)
class Row:
    """One picture: bytes [offset, offset + size) of `shard`, with their CRC32C.

    `cls`, `text` and `attributes` may be unknown. attributes: names with spaces between, "" where it has none.
    """

    shard: str
    offset: int
    size: int
    key: str
    domain: str
    cls: str | None
    text: str | None
    split: str
    crc32c: int
    attributes: str | None = None


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
    classes: tuple[str, ...]  # in shards made here, a class's place is the number that stands in the .cls files
    recipe: Mapping[str, Any]  # what the builder was asked for and from which sources: equal recipe, equal data set
    notes: tuple[str, ...] = ()  # what the builder left out or changed, in words
    license: str = ""
    home: str = ""  # the address of the shards where they do not lie beside the manifest
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """domain -> what its grey levels mean, darkest first: level i of n is stored as round(255 * i / (n - 1))."""
    attributes: tuple[str, ...] = ()  # the names of those that pictures have, sorted

    def record(self) -> dict[str, Any]:
        """The JSON object in the file."""
        unused = [name for name in ("home", "labels", "attributes") if not getattr(self, name)]
        told = {name: value for name, value in asdict(self).items() if name not in unused}
        elsewhere = FORMAT_ELSEWHERE if self.home else FORMAT
        return {"format": FORMAT_ATTRIBUTES if self.attributes else elsewhere, **told}


def manifest_bytes(head: Head, rows: Iterable[Row]) -> bytes:
    """The manifest file for these rows: equal input gives equal bytes (for one version of pyarrow)."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    types = _columns(head)
    columns = {"cls" if name == "class" else name: type_ for name, type_ in types.items()}
    schema = pa.schema(list(types.items()), metadata={_HEAD: _json(_with_check(head.record()))})
    batches = []
    waiting = iter(rows)
    while listed := list(islice(waiting, _BATCH)):
        arrays = [pa.array([getattr(row, name) for row in listed], type_) for name, type_ in columns.items()]
        batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    table = pa.Table.from_batches(batches, schema=schema).combine_chunks()
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())


def read_manifest(uri: str, data: bytes) -> tuple[Head, Callable[[str], "pa.Array"]]:
    """The head of a manifest file, and a function that reads a column by its name: one at a time, to need less memory.

    The columns shard, domain, class and split come as dictionaries. Types, encodings and missing values are checked,
    not what the rows say. Raises DataError for a newer format and for another kind of Parquet file, and what Arrow,
    JSON and a look-up raise where the bytes are damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    # Not read_table: its scanner's threads now and then abort a process that ends soon after.
    file = parquet.ParquetFile(
        pa.BufferReader(data), pre_buffer=False, page_checksum_verification=True, read_dictionary=list(_CODED)
    )
    head = _read_head(uri, file.schema_arrow.metadata or {})
    coded = {name: pa.dictionary(pa.int32(), pa.string()) for name in _CODED}
    if [(column.name, column.type) for column in file.schema_arrow] != list({**_columns(head), **coded}.items()):
        raise ValueError("other columns")

    def column(name: str) -> "pa.Array":
        read = file.read([name], use_threads=False)[name].combine_chunks()
        read.validate(full=True)
        if len(read) != file.metadata.num_rows or (read.null_count and name not in _OPTIONAL):
            raise ValueError(f"rows without {name}")
        return read

    return head, column


def numpy_of(array: "pa.Array") -> NDArray[Any]:
    """The numbers of an Arrow array without missing values, read-only and not copied.

    Not to_numpy, which loads pandas if it can: a fifth of a second, and fifty megabytes, for nothing.
    """
    return np.from_dlpack(array)


def etags_bytes(manifest: str, home: str, etags: Mapping[str, str]) -> bytes:
    """The sidecar file: the ETags (shard -> tag) of the manifest with this sha256 whose shards lie at `home`."""
    told = {"format": 1, "manifest": manifest, "shards": dict(etags), "store": place_of(home)}
    return json.dumps(told, indent=1, sort_keys=True).encode()


def read_etags(data: bytes, manifest: str, home: str) -> dict[str, str]:
    """What `etags_bytes` wrote; empty where it is about another manifest or another place: a copy has other ETags.

    ValueError, TypeError, KeyError, AttributeError or RecursionError where the bytes are damaged.
    """
    told = json.loads(data)
    if told["format"] != 1 or (told["manifest"], told["store"]) != (manifest, place_of(home)):
        return {}
    return {name: _text(tag) for name, tag in told["shards"].items()}


def place_of(uri: str) -> str:
    """Which place an address means, without how one gets there (profile, patience): plain text, to be compared."""
    if not is_remote(uri):
        return uri
    address = parse(uri)
    kept = {name: value for name, value in address.options.items() if name in ("addressing", "endpoint", "region")}
    return str(Address(address.bucket, address.prefix, kept))


def _columns(head: Head) -> dict[str, "pa.DataType"]:
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
        **({"attributes": pa.string()} if head.attributes else {}),
    }


def _read_head(uri: str, metadata: Mapping[bytes, bytes]) -> Head:
    if _HEAD not in metadata:
        raise DataError(f"{join(uri, FILE)} is a Parquet file of something else; build the shards again")
    head = json.loads(metadata[_HEAD])
    if head["format"] > FORMAT_ATTRIBUTES:
        raise DataError(
            f"{join(uri, FILE)} has format {head['format']}, this version reads up to {FORMAT_ATTRIBUTES}; "
            "use the newer i2i-cluster that made it"
        )
    if _CHECK in head and head != _with_check(head):
        raise ValueError("a damaged head")
    return Head(
        name=_text(head["name"]),
        shapes={name: _shape(shape) for name, shape in head["shapes"].items()},
        shards={name: _shard(**shard) for name, shard in head["shards"].items()},
        classes=tuple(map(_text, head["classes"])),
        recipe=dict(head["recipe"]),
        notes=tuple(map(_text, head["notes"])),
        license=_text(head["license"]),
        home=_text(head.get("home", "")),
        labels={name: tuple(map(_text, names)) for name, names in head.get("labels", {}).items()},
        attributes=tuple(map(_text, head.get("attributes", ()))),
    )


def _with_check(head: Mapping[str, Any]) -> dict[str, Any]:
    """The head's JSON object with the hex sha256 of all its other keys."""
    told = {name: value for name, value in head.items() if name != _CHECK}
    return {**told, _CHECK: hashlib.sha256(_json(told).encode()).hexdigest()}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _shard(bytes: int, sha256: str) -> Shard:
    if not isinstance(bytes, int) or bytes < 0:
        raise ValueError(f"no shard has {bytes} bytes")
    return Shard(bytes, _text(sha256))


def _shape(numbers: list[int]) -> tuple[int, int, int]:
    channels, width, height = numbers
    if channels not in (1, 3) or not (isinstance(width, int) and isinstance(height, int) and width > 0 < height):
        raise ValueError(f"no picture has the shape {numbers}")
    return channels, width, height
