"""The manifest: one Parquet file beside the shards that says what every picture is, where it lies and how to check
it.

Its sha256 names the data set: rows carry a checksum of each picture, so whoever has the manifest's hash has fixed
every byte that a training can read. Opening one needs no torch and reads no shard. Pictures are addressed by row
number; a million rows stay in numpy and Arrow, a few dozen bytes each, and no row is a Python object until asked for.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data_shards.address import join
from data_shards.attributes import Attributes
from data_shards.errors import DataError, has
from data_shards.manifest_file import ETAGS, FILE, Head, Row, Shard, manifest_bytes, numpy_of, read_etags, read_manifest
from data_shards.split import SPLITS, TRAIN, VALIDATION
from data_shards.store import Store, open_store

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FILE", "Domain", "Head", "Manifest", "Row", "Shard", "manifest_bytes"]

# What pyarrow, JSON and the lines here raise for bytes that no manifest consists of.
_DAMAGE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, OverflowError, MemoryError, RecursionError
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Domain:
    """One side of a translation: the shape its pictures are stored in (pixels) and how many there are per split."""

    channels: int
    width: int
    height: int
    train: int
    validation: int


class Manifest:
    """A manifest that was read. Arrays hold one number per row and are read-only; lists are the caller's to keep.

    shard_codes, class_codes: places in `shard_names` and `class_names`, -1 for no class. offsets, sizes: bytes.
    """

    uri: str
    sha256: str  # of the manifest file, hex: the identity of the data set
    head: Head
    domains: dict[str, Domain]
    store: Store  # of the shards: they may lie elsewhere than the manifest
    shard_names: list[str]
    class_names: list[str]
    attributes: Attributes
    shard_codes: NDArray[np.int32]
    class_codes: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    crcs: NDArray[np.uint32]

    def __init__(self, store: Store, data: bytes) -> None:
        from pyarrow import ArrowException, default_memory_pool  # slow to import, and not every command needs it

        self.uri = store.uri
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._beside = store
        try:
            self.head, column = read_manifest(store.uri, data)
            self._take(column)
            self._check_rows()
            self.domains = self._domains()
        except DataError:
            raise
        except (ArrowException, *_DAMAGE) as broken:
            raise DataError(f"{join(store.uri, FILE)} is not a manifest (damaged?); build the shards again") from broken
        default_memory_pool().release_unused()  # what decoding needed; Arrow would keep it for the next time
        self.store = open_store(self.head.home) if self.head.home else store

    @classmethod
    def open(cls, uri: str) -> "Manifest":
        """The manifest of the shards at `uri`. Raises DataError where there is none, a newer or a damaged one."""
        store = open_store(uri)
        try:
            return cls(store, store.read(FILE))
        except (FileNotFoundError, NotADirectoryError):
            takes = "`i2i-cluster shards build` makes them, `shards index` takes over tar files that are there"
            raise DataError(f"{store.uri} holds no shards (no {FILE}); {takes}") from None

    @property
    def name(self) -> str:
        """What the data set is called, for example "openmoji"."""
        return self.head.name

    @property
    def shards(self) -> Mapping[str, Shard]:
        """The tar files by name."""
        return self.head.shards

    @cached_property
    def etags(self) -> Mapping[str, str]:
        """The shards' ETags as they were when an object store took them; empty where none were noted."""
        try:
            return read_etags(self._beside.read(ETAGS), self.sha256, self.store.uri)
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as broken:
            path = join(self.uri, ETAGS)
            raise DataError(f"{path} is damaged; delete it: it only helps to notice changed shards early") from broken

    def select(self, domain: str, split: str = TRAIN) -> NDArray[np.int64]:
        """[n] the rows of a domain's pictures in a split, in the order of their keys' UTF-8 bytes."""
        if split not in SPLITS:
            raise DataError(f"unknown split {split!r}{has(split, SPLITS)}")
        code = self._code(domain)
        order = self._order
        rows = order.rows[order.starts[code] : order.starts[code + 1]]
        chosen: NDArray[np.int64] = rows[self._split_codes[rows] == SPLITS.index(split)]
        return chosen

    def join(self, domains: Sequence[str], split: str = TRAIN) -> dict[str, NDArray[np.int64]]:
        """domain -> [n] rows of the keys that all `domains` have in a split; the i-th row of each has the i-th key."""
        rows = {domain: self.select(domain, split) for domain in domains}
        ranks = {domain: self._order.ranks[found] for domain, found in rows.items()}
        shared = reduce(partial(np.intersect1d, assume_unique=True), ranks.values())
        return {domain: found[np.searchsorted(ranks[domain], shared)] for domain, found in rows.items()}

    def keys(self, domain: str, split: str = TRAIN) -> list[str]:
        """The keys of a domain's pictures in a split, sorted."""
        return self.keys_of(self.select(domain, split))

    def keys_of(self, rows: NDArray[np.int64]) -> list[str]:
        """rows: [n] -> the n keys of their pictures, in the same order."""
        return _values(self._keys, rows)

    def pairs(self, split: str = TRAIN) -> list[str]:
        """The keys that have a picture in every domain in this split, sorted; none where there is only one domain."""
        first, *others = self.domains
        return self.keys_of(self.join([first, *others], split)[first]) if others else []

    def texts_of(self, rows: NDArray[np.int64]) -> list[str | None]:
        """rows: [n] -> the n texts of their pictures, in the same order; None where one has none."""
        return _values(self._texts, rows)

    def row(self, domain: str, key: str) -> Row:
        """All that is known about one picture; DataError where there is none."""
        code, order = self._code(domain), self._order
        mine = order.rows[order.starts[code] : order.starts[code + 1]]
        wanted = key.encode(errors="surrogatepass")  # half a character is the key of no picture
        place = bisect_left(mine, wanted, key=lambda i: self._keys[i].as_buffer().to_pybytes())
        if place < len(mine) and self._keys[mine[place]].as_py() == key:
            return self.row_at(int(mine[place]))
        raise DataError(f"{self.uri} has no picture {key!r} in domain {domain}")

    def row_at(self, i: int) -> Row:
        """All that is known about the picture of row `i`."""
        cls = int(self.class_codes[i])
        return Row(
            shard=self.shard_names[self.shard_codes[i]],
            offset=int(self.offsets[i]),
            size=int(self.sizes[i]),
            key=self._keys[i].as_py(),
            domain=self._domain_names[self._domain_codes[i]],
            cls=self.class_names[cls] if cls >= 0 else None,
            text=self._texts[i].as_py(),
            split=SPLITS[self._split_codes[i]],
            crc32c=int(self.crcs[i]),
            attributes=self.attributes.text(i),
        )

    def _take(self, column: Callable[[str], "pa.Array"]) -> None:
        """Keep the columns in the form that they are used in; KeyError for a name that the head does not know."""
        shards = column("shard")
        # A head that knows no files is enough for a plan, which reads none.
        self.shard_names = sorted(self.head.shards or set(shards.dictionary.to_pylist()))
        self.class_names = list(self.head.classes)
        self._domain_names = sorted(self.head.shapes)
        self.shard_codes = _codes(shards, self.shard_names)
        self.class_codes = _codes(column("class"), self.class_names)
        self._domain_codes = _codes(column("domain"), self._domain_names)
        self._split_codes = _codes(column("split"), SPLITS)
        self.offsets, self.sizes, self.crcs = (numpy_of(column(name)) for name in ("offset", "size", "crc32c"))
        self._keys, self._texts = column("key"), column("text")
        self.attributes = self._attributes(column)

    def _attributes(self, column: Callable[[str], "pa.Array"]) -> Attributes:
        if not self.head.attributes:
            return Attributes((), (), np.full(len(self.class_codes), -1, np.int32))
        told = column("attributes").dictionary_encode()
        sets = told.dictionary.to_pylist()
        return Attributes(self.head.attributes, sets, _codes(told, sets))

    def _check_rows(self) -> None:
        """ValueError for a picture that does not lie inside its shard."""
        if (self.offsets < 0).any() or (self.sizes < 0).any():
            raise ValueError("a picture before its shard")
        if self.head.shards:
            ends = np.array([self.head.shards[name].bytes for name in self.shard_names], np.int64)[self.shard_codes]
            if (self.sizes > ends - self.offsets).any():
                raise ValueError("a picture behind its shard")

    def _domains(self) -> dict[str, Domain]:
        counts = np.bincount(
            self._domain_codes * len(SPLITS) + self._split_codes, minlength=2 * len(self._domain_names)
        )
        sides = counts.reshape(-1, len(SPLITS)).tolist()
        return {
            name: Domain(
                *self.head.shapes[name], train=side[SPLITS.index(TRAIN)], validation=side[SPLITS.index(VALIDATION)]
            )
            for name, side in zip(self._domain_names, sides, strict=True)
        }

    def _code(self, domain: str) -> int:
        if domain not in self.domains:
            raise DataError(f"{self.uri} has no domain {domain!r}{has(domain, self.domains)}")
        return self._domain_names.index(domain)

    @cached_property
    def _order(self) -> "_Order":
        """Made when first asked for: what only wants the data set's numbers need not wait for it."""
        from pyarrow import default_memory_pool

        order = _Order.of(self._keys, self._domain_codes, len(self._domain_names))
        default_memory_pool().release_unused()  # 90 MB for a million rows
        if len(order.twice):
            row = self.row_at(int(order.twice[0]))
            raise DataError(
                f"{join(self.uri, FILE)} has {row.key!r} twice in domain {row.domain}; build the shards again"
            )
        return order


@dataclass(frozen=True)
class _Order:
    """Rows by domain and key. rows: [n]; starts: [domains + 1], where each domain begins in `rows`.

    ranks: [n], by row, the place of its key among all different keys: what is compared instead of the keys. twice: the
    rows whose domain and key an earlier row has.
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    ranks: NDArray[np.int64]
    twice: NDArray[np.int64]

    @classmethod
    def of(cls, keys: "pa.StringArray", domain_codes: NDArray[np.int32], domains: int) -> "_Order":
        import pyarrow.compute as compute

        coded = keys.dictionary_encode()
        count = len(coded.dictionary)
        places = np.empty(count, np.int64)
        places[numpy_of(compute.sort_indices(coded.dictionary))] = np.arange(count)  # Arrow compares UTF-8 bytes
        ranks = places[numpy_of(coded.indices)]
        both = domain_codes * np.int64(count) + ranks
        rows = np.argsort(both, kind="stable")
        ordered = both[rows]
        starts = np.searchsorted(ordered, np.arange(domains + 1) * np.int64(count))
        return cls(rows, starts, ranks, twice=rows[1:][ordered[1:] == ordered[:-1]])


def _values(column: "pa.StringArray", rows: NDArray[np.int64]) -> list[Any]:
    """rows: [n] -> the column's values there."""
    import pyarrow as pa

    places = pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows))])
    return list(column.take(places).to_pylist())


def _codes(array: "pa.DictionaryArray", names: Sequence[str]) -> NDArray[np.int32]:
    """The places in `names` of a dictionary array's values, -1 for none; KeyError for a value that is not one."""
    places = {name: place for place, name in enumerate(names)}
    known = np.array([places[value] for value in array.dictionary.to_pylist()], np.int32)
    if not array.null_count:
        return np.take(known, numpy_of(array.indices))
    codes = np.full(len(array), -1, np.int32)
    codes[numpy_of(array.is_valid().cast("uint8")).view(np.bool_)] = known[numpy_of(array.indices.drop_null())]
    return codes
