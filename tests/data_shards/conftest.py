"""Small data sets that every test of this folder may read, made once, and the tools to make others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data_shards.build.folder import build_folder
from data_shards.build.openmoji import build_openmoji
from data_shards.manifest import Manifest

SIDE = 12  # pixels of the made-up pictures
PAIRS = 40

Paint = Callable[..., NDArray[np.uint8]]


def paint(file: Path, seed: int, size: tuple[int, int] = (SIDE, SIDE), channels: int = 3) -> NDArray[np.uint8]:
    """Write noise that depends on the seed alone as the picture `file`; returns its pixels, [height, width, C]."""
    shape = (size[1], size[0], channels)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(file)
    return pixels


@pytest.fixture(scope="session", name="paint")
def paint_fixture() -> Paint:
    return paint


@pytest.fixture(scope="session")
def negatives(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Pairs of noise and its negative (a + b = 255), with classes."""
    root = tmp_path_factory.mktemp("negatives")
    for i in range(PAIRS):
        pixels = paint(root / "source/a" / f"{i:02d}.png", seed=i)
        (root / "source/b").mkdir(exist_ok=True)
        Image.fromarray(255 - pixels).save(root / "source/b" / f"{i:02d}.png")
    rows = "".join(f"a/{i:02d}.png,{'odd' if i % 2 else 'even'},number {i}\n" for i in range(PAIRS))
    (root / "source/labels.csv").write_text(f"file,class,text\n{rows}")
    out = str(root / "shards")
    build_folder(out, source=str(root / "source"), paired=True, validation=0.25)
    return Manifest.open(out)


@pytest.fixture(scope="session")
def emojis(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """A few dozen OpenMoji pairs at 32 pixels."""
    out = str(tmp_path_factory.mktemp("emojis") / "shards")
    build_openmoji(out, size=32, limit=120)
    return Manifest.open(out)
