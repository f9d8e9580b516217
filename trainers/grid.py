"""The picture of an evaluation: one titled row a stage of the translation, one column a sample."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw

from trainers.evaluation import Stages

GAP = 4
LINE = 16  # pixels of a line of text
LEAST_TILE = 96  # small pictures are enlarged to whole multiples, so that a person can see them


def draw_grid(stages: Stages, title: str, footer: str) -> bytes:
    """A PNG of the stages (name -> uint8 `[N,H,W,C]`) below `title`; `footer`, if any, is the data's attribution."""
    tiles = {name: [_tile(picture) for picture in pictures] for name, pictures in stages.items()}
    side = max(tile.width for row in tiles.values() for tile in row)
    most = max(len(row) for row in tiles.values())
    height = LINE + len(tiles) * (LINE + side + GAP) + (LINE if footer else 0)
    text = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    wide = 2 * GAP + round(max(text.textlength(title), text.textlength(footer)))  # an attribution is never cut
    canvas = Image.new("RGB", (max(wide, GAP + most * (side + GAP)), height), "white")
    pen = ImageDraw.Draw(canvas)
    pen.text((GAP, 2), title, fill="black")
    for y, (name, row) in enumerate(tiles.items()):
        top = LINE + y * (LINE + side + GAP)
        pen.text((GAP, top + 2), name, fill="gray")
        for x, tile in enumerate(row):
            canvas.paste(tile, (GAP + x * (side + GAP), top + LINE))
    if footer:
        pen.text((GAP, height - LINE + 2), footer, fill="gray")
    out = io.BytesIO()
    canvas.save(out, format="PNG")
    return out.getvalue()


def _tile(picture: np.ndarray) -> Image.Image:
    """uint8 `[H,W,C]` -> an RGB picture of at least `LEAST_TILE` pixels."""
    array = picture[:, :, 0] if picture.shape[2] == 1 else picture
    image = Image.fromarray(array).convert("RGB")
    factor = max(1, -(-LEAST_TILE // image.width))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
