"""The fixed pictures that every evaluation of a data set without a manifest looks at: the first ones there are.

They are kept as the files they were, so that a few megabytes hold them. All of them have been decoded once before: an
evaluation never fails on one, nor makes up a score of the rest.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from data_shards.build.atomic import scratch_folder
from data_shards.decode import decode
from data_shards.errors import DataError, has
from data_shards.plain.data import INDEX, PlainData, Sample
from data_shards.plain.pictures import Pictures
from data_shards.split import VALIDATION
from data_shards.texts import WORDS


class PlainValidation:
    """Validation pictures, whole and unaugmented: at most `limit` of a domain, in the order of shards.

    domains: which to read. channels: by domain. image: side in pixels. bad_samples: the share that may be unreadable;
    those are passed over. Reads shards until there are enough; DataError where a domain has none.
    """

    def __init__(
        self,
        data: PlainData,
        *,
        domains: Sequence[str],
        paired: bool,
        channels: Mapping[str, int],
        image: int,
        limit: int,
        bad_samples: float = 0.001,
    ) -> None:
        self._pictures, self._image = Pictures(channels, bad_samples), image
        self._files: dict[str, dict[str, bytes]] = {domain: {} for domain in domains}
        complete = set()
        for sample in self._samples(data, domains, paired, limit):
            if self._pictures.decode("the validation samples", sample, image) is None:
                continue
            complete.add(len(sample.pictures) == len(domains))
            for domain, file in sample.pictures.items():
                if len(self._files[domain]) < limit:
                    self._files[domain][f"{sample.shard}: {sample.number} {sample.key}"] = file
        for domain, files in self._files.items():
            if not files:
                raise DataError(
                    f"{data.uri}: no sample with a picture of domain {domain} is left to validate with; name a shard for "
                    f"it, such as val-000.tar, or make a manifest with {INDEX}"
                )
        if len(complete) > 1:
            raise DataError(
                f"{data.uri}: some validation samples have pictures of {' and '.join(domains)} and some of one alone, so "
                f"they cannot be compared; name the domains with data.domains, or make a manifest with {INDEX}"
            )
        self.truth: bool = len(domains) > 1 and complete == {True}
        """Whether every sample has all domains, so that a translation can be compared with what it should be."""

    def keys(self, domain: str) -> list[str]:
        """The samples, in a fixed order; with `truth`, the same list for every domain."""
        if domain not in self._files:
            raise DataError(f"unknown validation domain {domain!r}{has(domain, self._files)}")
        return list(self._files[domain])

    def twins(self, domain: str, key: str) -> list[str]:
        """The keys of the kept pictures of a domain that are the same file as that of `key`, which is among them."""
        files = self._files[domain]
        return [other for other, file in files.items() if file == files[key]]

    def label(self, domain: str, key: str) -> int:
        """None is known."""
        return -1

    def label_map(self, key: str) -> NDArray[np.uint8] | None:
        """None is known."""
        return None

    def attributes(self, domain: str, key: str) -> NDArray[np.bool_]:
        """[0]: none are known."""
        return np.zeros(0, np.bool_)

    def text(self, domain: str, key: str) -> NDArray[np.int64]:
        """[WORDS]: none are known."""
        return np.zeros(WORDS, np.int64)

    def read(self, domain: str, key: str) -> NDArray[np.uint8]:
        """[image, image, C] uint8."""
        return decode(self._files[domain][key], self._pictures.channels[domain], self._image)

    def _samples(self, data: PlainData, domains: Sequence[str], paired: bool, limit: int) -> Iterable[Sample]:
        """Validation samples as long as any domain lacks some."""
        with ExitStack() as stack:
            scratch = stack.enter_context(scratch_folder()) if data.store.remote else None
            for shard in data.shards(domains, VALIDATION, paired=paired):
                if all(len(self._files[d]) >= limit for d in domains if data.may_have(shard, d)):
                    continue
                with data.open(shard, scratch) as file:
                    for sample in data.samples(shard, file, domains, paired=paired):
                        if data.is_held_back(sample):
                            yield sample
                        if all(len(files) >= limit for files in self._files.values()):
                            return
