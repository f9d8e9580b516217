"""The picture of an evaluation: one row a sample, one titled column a stage of the translation."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from trainers.evaluation import Columns

GAP = 4
HEADER = 16
LEAST_TILE = 96  # small pictures are enlarged to whole multiples, so that a person can see them


def draw_grid(columns: Columns, title: str) -> bytes:
    """A PNG of the columns under their names, with `title` above. Grey pictures are shown as grey."""
    tiles = {name: [_tile(picture) for picture in pictures] for name, pictures in columns.items()}
    side = max(tile.width for column in tiles.values() for tile in column)
    rows = max(len(column) for column in tiles.values())
    canvas = Image.new("RGB", (len(tiles) * (side + GAP) + GAP, 2 * HEADER + rows * (side + GAP) + GAP), "white")
    pen = ImageDraw.Draw(canvas)
    pen.text((GAP, 2), title, fill="black")
    for x, (name, column) in enumerate(tiles.items()):
        left = GAP + x * (side + GAP)
        pen.text((left, HEADER), name, fill="black")
        for y, tile in enumerate(column):
            canvas.paste(tile, (left, 2 * HEADER + y * (side + GAP)))
    out = io.BytesIO()
    canvas.save(out, format="PNG")
    return out.getvalue()


def _tile(picture: np.ndarray) -> Image.Image:
    """uint8 `[H,W,C]` -> an RGB picture of at least `LEAST_TILE` pixels."""
    array = picture[:, :, 0] if picture.shape[2] == 1 else picture
    image = Image.fromarray(array).convert("RGB")
    factor = max(1, -(-LEAST_TILE // image.width))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
