"""The pictures that the data benchmarks read: crops of two photographs, compressed as photographs usually are.

They are real in what costs time, the entropy of a JPEG: 256 pixels a side and quality 90 give about 21 KB. Flat drawings
decode twice as fast and would flatter everything that stands around the decoder.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from data_shards.build.folder import build_folder

SIDE = 256  # pixels
QUALITY = 90
SEED = 0
_SMALLEST_CROP = 160  # pixels of the photograph
_OTHER_SIDE = 8  # pictures


def photographs(count: int, side: int = SIDE) -> Iterator[bytes]:
    """`count` different JPEG files, crops of scikit-learn's two photographs in turns."""
    from sklearn.datasets import load_sample_images

    originals = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    random = np.random.default_rng(SEED)
    for number in range(count):
        photograph = originals[number % len(originals)]
        crop = int(random.integers(_SMALLEST_CROP, photograph.height + 1))
        left = int(random.integers(photograph.width - crop + 1))
        top = int(random.integers(photograph.height - crop + 1))
        box = (left, top, left + crop, top + crop)
        sink = io.BytesIO()
        photograph.resize((side, side), Image.Resampling.BICUBIC, box=box).save(sink, "JPEG", quality=QUALITY)
        yield sink.getvalue()


@dataclass(frozen=True)
class Photographs:
    """A data set of photographs below `folder`: `files` of domain a, and `shards` of them as `shards build folder` makes
    them. A data set has two sides: unless more are asked for, the other one has a few pictures that nobody reads.
    """

    folder: Path

    @staticmethod
    def make(folder: Path, count: int, side: int = SIDE, others: int = _OTHER_SIDE) -> Photographs:
        """Make `count` of `side` pixels, and `others` of domain b; a tenth of both is held back where there are many."""
        for number, data in enumerate(photographs(count + others, side)):
            file = folder / "source" / ("a" if number < count else "b") / f"{number:06d}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        made = Photographs(folder)
        build_folder(made.shards, source=str(folder / "source"), validation=0.1 if others > _OTHER_SIDE else 0.0)
        return made

    @property
    def shards(self) -> str:
        """Their address."""
        return str(self.folder / "shards")

    @property
    def files(self) -> list[Path]:
        """The pictures as files."""
        return sorted((self.folder / "source/a").iterdir())
