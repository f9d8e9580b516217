"""Checks every byte of a data set against its manifest, and says which samples are hit.

A shard's sha256 tells whether anything changed; only the pictures' own checksums tell what. The surprise is a shard
with a wrong sha256 and no bad picture: the damage lies in a label or in a tar header, where training never reads. Tar
headers have checksums of their own; a label and the fill between the files have none, and cannot be told apart.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from data_shards.build.picture import Progress, silent
from data_shards.check.files import on_each, tars
from data_shards.decode import decode
from data_shards.errors import DataError
from data_shards.index.scan import BLOCK, DamagedHeader, scan
from data_shards.manifest import Manifest, Row
from data_shards.store import Entry

_ANY_SIDE = 8  # pixels: a picture is decoded whole before it is scaled, so a small side costs least


@dataclass(frozen=True)
class BadSample:
    """A picture that is not what the manifest says."""

    domain: str
    key: str
    problem: str


@dataclass(frozen=True)
class ShardReport:
    """One shard: `pictures` it should hold, what is wrong with it as a file, and which pictures are bad."""

    name: str
    pictures: int
    bytes: int
    problems: list[str] = field(default_factory=list)
    samples: list[BadSample] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not self.samples


@dataclass(frozen=True)
class VerifyReport:
    """All shards of a manifest, and the tar files beside them that it does not name."""

    uri: str
    sha256: str
    decoded: bool
    shards: list[ShardReport]
    extra: list[str]

    @property
    def good(self) -> bool:
        """Whether every shard is what the manifest says; files that it does not name harm nobody."""
        return all(shard.good for shard in self.shards)


def verify(uri: str, *, decode_too: bool = False, progress: Progress = silent) -> VerifyReport:
    """Read all shards at `uri` and check sizes, ETags, sha256 and every picture's CRC32C.

    decode_too: decode every picture as well. progress: told (done, total) shards. DataError where there is no data set.
    """
    manifest = Manifest.open(uri)
    there = tars(manifest.store)
    found = {name: there[name] for name in sorted(manifest.shards) if name in there}
    check = _Check(manifest, found, decode_too)
    reports = dict(zip(found, on_each(manifest.store, found, check, progress), strict=True))
    for name, shard in manifest.shards.items():
        if name not in found:
            reports[name] = ShardReport(name, len(check.rows(name)), shard.bytes, ["is missing"])
    extra = sorted(there.keys() - manifest.shards.keys())
    listed = [reports[name] for name in sorted(reports)]
    return VerifyReport(manifest.uri, manifest.sha256, decode_too, listed, extra)


class _Check:
    """Checks one shard after another; threads may share it."""

    def __init__(self, manifest: Manifest, entries: Mapping[str, Entry], decode_too: bool) -> None:
        self._manifest, self._entries, self._decode = manifest, entries, decode_too
        self._etags = manifest.etags
        self._codes = {name: code for code, name in enumerate(manifest.shard_names)}
        self._order = np.lexsort((manifest.offsets, manifest.shard_codes))
        self._starts = np.searchsorted(manifest.shard_codes[self._order], np.arange(len(self._codes) + 1))

    def rows(self, name: str) -> NDArray[np.int64]:
        """The rows of a shard in the order of their offsets."""
        code = self._codes[name]
        rows: NDArray[np.int64] = self._order[self._starts[code] : self._starts[code + 1]]
        return rows

    def __call__(self, name: str, path: Path) -> ShardReport:
        shard, rows = self._manifest.shards[name], self.rows(name)
        report = ShardReport(name, len(rows), shard.bytes, self._listed(name))
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
            for i in rows.tolist():
                row = self._manifest.row_at(i)
                problem = self._problem(row, os.pread(file.fileno(), row.size, row.offset))
                if problem:
                    report.samples.append(BadSample(row.domain, row.key, problem))
        if digest != shard.sha256:
            where = "" if report.samples else "; no picture is hit"
            header = self._header(path, rows) if not self._listed(name) else ""
            report.problems.append(f"has sha256 {digest[:12]}, the manifest says {shard.sha256[:12]}{where}{header}")
        elif self._etags.get(name, self._entries[name].etag) != self._entries[name].etag:
            report.problems.append("was written again with the same content, so its ETag is another; index it again")
        return report

    def _listed(self, name: str) -> list[str]:
        """What a look at the listing tells."""
        size, wanted = self._entries[name].size, self._manifest.shards[name].bytes
        return [f"holds {size:,} bytes, the manifest says {wanted:,}"] if size != wanted else []

    def _header(self, path: Path, rows: NDArray[np.int64]) -> str:
        """What to say of the first tar header that is damaged; nothing where all are well."""
        try:
            scan(path, path.name)
        except DamagedHeader as damaged:
            near = [
                self._manifest.row_at(i) for i in rows.tolist() if self._manifest.offsets[i] == damaged.place + BLOCK
            ]
            whose = "".join(f" of {row.key} in domain {row.domain}" for row in near)
            return f"; the tar header{whose} at byte {damaged.place:,} is damaged, and other readers stop there"
        except DataError:
            pass
        return ""

    def _problem(self, row: Row, data: bytes) -> str:
        if len(data) < row.size:
            return "lies behind the end"
        found = google_crc32c.value(data)
        if found != row.crc32c:
            return f"has crc32c {found:08x}, the manifest says {row.crc32c:08x}"
        if self._decode:
            try:
                decode(data, self._manifest.domains[row.domain].channels, _ANY_SIDE)
            except (OSError, ValueError) as failure:
                return f"cannot be decoded: {failure}"
        return ""
