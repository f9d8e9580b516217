"""A data set without a manifest: the tar shards of a folder or a bucket, of which nothing but the listing is known.

What is in a shard is found out by reading it, with WebDataset's own pipeline. The surprise is what comes before: to
Python's tarfile a damaged header, or the end of a shard that was cut off between two files, is the end of the tar. So
each shard is fetched whole and its headers are walked through before any of its samples is used.
"""

import hashlib
import json
import os
import tarfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from webdataset.tariterators import group_by_keys, tar_file_expander

from data_shards.check.files import local_file, tars
from data_shards.errors import DataError
from data_shards.index.names import COMPRESSED, DomainPattern, Domains, is_picture, key_and_extension, side_of
from data_shards.index.scan import scan
from data_shards.split import VALIDATION
from data_shards.store import Entry, open_store

HELD_BACK = 0.1  # of the keys, where no shard's name tells that it is for validation
INDEX = "`i2i-cluster shards index`"


@dataclass(frozen=True, slots=True)
class Sample:
    """What one sample of a shard has of the domains asked for. number: its place among such samples there.

    pictures: domain -> encoded file.
    """

    shard: str
    number: int
    key: str
    pictures: dict[str, bytes]

    def __str__(self) -> str:
        return f"{self.shard}: {self.key}"


class PlainData:
    """The shards below `uri`. patterns: domain -> which pictures are of it, as `DomainPattern` takes them; without any,
    extensions like `a.png` tell. Safe to use from several threads.

    Raises DataError where there are no shards, or a pattern fits none.
    """

    def __init__(self, uri: str, patterns: Mapping[str, str]) -> None:
        self.store = open_store(uri)
        self.uri = self.store.uri
        self.name = self.uri.partition("?")[0].rstrip("/").rpartition("/")[2]
        self.patterns = tuple(DomainPattern.read(f"{name}={pattern}") for name, pattern in sorted(patterns.items()))
        self._domains = Domains(self.patterns)
        self.entries: dict[str, Entry] = self._listing()
        listed = [(name, entry.size, entry.etag) for name, entry in self.entries.items()]
        identity = json.dumps([listed, [str(pattern) for pattern in self.patterns]])
        self.sha256 = hashlib.sha256(identity.encode()).hexdigest()
        """Hex: the listing and the patterns. In a folder a change is seen by the size of a shard alone."""
        self._told = any(side_of(name) == VALIDATION for name in self.entries)

    def shards(self, domains: Sequence[str], side: str, *, paired: bool = False) -> list[str]:
        """The shards that may have training or validation pictures of one of `domains`, sorted.

        With `paired`: DataError where one of them cannot have pictures of all domains.
        """
        found = []
        for name in self.entries:
            if self._told and (side_of(name) == VALIDATION) != (side == VALIDATION):
                continue
            has = [domain for domain in domains if self.may_have(name, domain)]
            if paired and 0 < len(has) < len(domains):
                lacks = next(domain for domain in domains if domain not in has)
                raise self.unpaired(f"{self.uri}: {name}", has[0], lacks)
            if has:
                found.append(name)
        return found

    def may_have(self, shard: str, domain: str) -> bool:
        """Whether there can be pictures of the domain in the shard."""
        return not self.patterns or any(p.name == domain and p.fits(shard) for p in self.patterns)

    def is_held_back(self, sample: Sample) -> bool:
        """Whether a sample validates: by the name of its shard, or its key's hash where no shard's name tells."""
        if self._told:
            return side_of(sample.shard) == VALIDATION
        digest = hashlib.blake2b(sample.key.encode(), digest_size=8, person=b"plain").digest()
        return int.from_bytes(digest, "big") < HELD_BACK * 2**64

    def open(self, shard: str, scratch: Path | None) -> BinaryIO:
        """The whole shard, its headers checked. scratch: a folder for a copy that is gone when the file is closed; a
        local shard needs none. DataError where it is damaged, cut off, or not the one that was listed."""
        entry, told = self.entries[shard], f"{self.uri}: {shard}"
        try:
            if not self.store.remote:
                return _checked(local_file(self.store, shard), told, entry.size)
            assert scratch is not None
            copy = scratch / f"{uuid.uuid4().hex}.tar"
            try:
                self.store.download(shard, copy, entry.size, entry.etag)
                return _checked(copy, told, entry.size)
            finally:
                copy.unlink(missing_ok=True)
        except FileNotFoundError:
            raise DataError(f"{told} was there when the run began and is gone; restore it from a copy") from None

    def samples(
        self,
        shard: str,
        file: BinaryIO,
        domains: Sequence[str],
        *,
        paired: bool = False,
        first: int = 0,
        seen: set[str] | None = None,
    ) -> Iterator[Sample]:
        """The samples with pictures of one of `domains`, from number `first` on. seen: takes the extensions met.

        Raises DataError for two pictures of one domain in a sample and, with `paired`, for a sample without the other.
        """
        told = f"{self.uri}: {shard}"

        def is_wanted(name: str) -> bool:
            named = key_and_extension(name)
            if named is None:
                return False
            if seen is not None:
                seen.add(named[1])
            return is_picture(named[1]) and self._domains.of(shard, named[1]) in domains

        files = tar_file_expander([{"url": told, "stream": file}], select_files=is_wanted)
        try:
            for number, group in enumerate(group_by_keys(files)):
                if number >= first:
                    yield self._sample(shard, number, group, domains, paired)
        except (ValueError, EOFError, tarfile.TarError) as failure:
            if isinstance(failure, DataError) and len(failure.args) == 1:
                raise
            reason = str(failure.args[0]).partition(" @ <")[0]  # webdataset adds its file objects
            raise DataError(f"{told}: {reason.partition(' {')[0].partition(' dict_keys')[0]}") from failure

    def _sample(
        self, shard: str, number: int, group: Mapping[str, bytes], domains: Sequence[str], paired: bool
    ) -> Sample:
        key, told = str(group["__key__"]), f"{self.uri}: {shard}"
        extensions: dict[str, str] = {}
        for extension in sorted(name for name in group if not name.startswith("__")):
            domain = self._domains.of(shard, extension)
            assert domain is not None  # others were not read
            if domain in extensions:
                raise DataError(
                    f"{told}: {key} has two pictures of domain {domain}, {extensions[domain]} and {extension}; narrow "
                    f"its pattern, such as data.domains.{domain}: '*.tar:{extension}'"
                )
            extensions[domain] = extension
        lacks = next((domain for domain in domains if domain not in extensions), None)
        if paired and lacks:
            raise self.unpaired(f"{told}: {key}", next(iter(extensions)), lacks)
        return Sample(
            shard, number, key, {domain: group[extensions[domain]] for domain in domains if domain in extensions}
        )

    def unpaired(self, where: str, has: str, lacks: str) -> DataError:
        """The error about a place that has one side of pairs only."""
        return DataError(
            f"{where} has domain {has} and not {lacks}: without a manifest, the pictures of a pair must be in one sample of "
            f"one shard; {INDEX} joins them by key, wherever they are"
        )

    def _listing(self) -> dict[str, Entry]:
        found = tars(self.store)
        if not found:
            packed = [name for name in self.store.list() if name.endswith(COMPRESSED)]
            hint = f"; unpack the compressed ones first, such as {packed[0]}" if packed else ""
            raise DataError(f"{self.uri} holds no shards (no file whose name ends in .tar){hint}")
        for pattern in self.patterns:
            if not any(pattern.fits(name) for name in found):
                raise DataError(f"{self.uri}: no shard's name fits {pattern.shards!r}; there is {_some(list(found))}")
        return {name: entry for name, entry in found.items() if self._domains.reads(name)}


def _checked(path: Path, told: str, size: int) -> BinaryIO:
    with ExitStack() as undo:
        file = undo.enter_context(path.open("rb"))
        there = os.fstat(file.fileno()).st_size
        if there != size:
            raise DataError(f"{told} has {there:,} bytes by now, and had {size:,} when it was listed; submit again")
        scan(path, told)
        undo.pop_all()  # it stays open
    return file


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
