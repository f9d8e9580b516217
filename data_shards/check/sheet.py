"""A contact sheet: one picture of a few dozen samples, pairs side by side, to see what a data set is about.

Samples are chosen by the hash of their keys, so that the sheet shows a mixture and is the same one every time. Label
maps are stored as grey levels that an eye cannot tell apart; here each gets a colour, with a legend under the sheet.
"""

import colorsys
import hashlib
import io
from collections.abc import Sequence

import google_crc32c
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from data_shards.decode import decode
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from data_shards.split import TRAIN, VALIDATION

TILE = 96  # pixels
_GAP = 4  # between the pictures of one sample
_MARGIN = 12  # around samples
_LINE = 16  # height of a line of text
_ACROSS = 1200  # the sheet is about so wide
_LONGEST = 18  # letters of a caption that fit under one tile


def sheet_png(manifest: Manifest, samples: int = 36) -> bytes:
    """The sheet as a PNG file. Reads the shards; OSError for a picture that is damaged."""
    if samples < 1:
        raise DataError(f"a sheet of {samples} samples shows nothing; the usual number is 36")
    groups = [group for group in _groups(manifest, samples) if group]
    if not groups:
        raise DataError(f"{manifest.uri} has no pictures to show")
    blocks = [_block(manifest, group) for group in groups]
    legends = [_legend(domain, names) for domain, names in manifest.head.labels.items()]
    parts = [_text(f"{manifest.name}: {', '.join(manifest.domains)}"), *blocks, *legends]
    sheet = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    sink = io.BytesIO()
    sheet.save(sink, "PNG")
    return sink.getvalue()


def coloured(levels: NDArray[np.uint8], classes: int) -> NDArray[np.uint8]:
    """[height, width, 1] grey levels of a label map -> [height, width, 3] in the colours of the legend."""
    codes = np.rint(levels[:, :, 0].astype(np.float64) * (classes - 1) / 255).astype(np.intp)
    return np.array(_colours(classes), np.uint8)[codes]


def _groups(manifest: Manifest, samples: int) -> list[list[dict[str, int]]]:
    """Lists of samples (domain -> row): one list of joined samples, or where nothing joins, one list per domain."""
    domains = list(manifest.domains)
    for split in (TRAIN, VALIDATION):
        joined = manifest.join(domains, split)
        if len(joined[domains[0]]):
            chosen = _chosen(manifest, joined[domains[0]], samples)
            return [[{domain: int(joined[domain][i]) for domain in domains} for i in chosen]]
        rows = {domain: manifest.select(domain, split) for domain in domains}
        if any(len(found) for found in rows.values()):
            return [
                [{domain: int(found[i])} for i in _chosen(manifest, found, samples)] for domain, found in rows.items()
            ]
    return []


def _chosen(manifest: Manifest, rows: NDArray[np.int64], samples: int) -> list[int]:
    """Which of the rows to show: the first ones by the hash of their keys."""
    places = [hashlib.blake2b(manifest.row_at(i).key.encode(), digest_size=8).digest() for i in rows.tolist()]
    return sorted(range(len(places)), key=places.__getitem__)[:samples]


def _block(manifest: Manifest, group: Sequence[dict[str, int]]) -> Image.Image:
    """The samples of one group in rows, each with its domains side by side and its class or key under it."""
    wide = len(group[0]) * (TILE + _GAP) - _GAP + _MARGIN
    high = TILE + _LINE + _MARGIN
    columns = max(1, min(len(group), _ACROSS // wide))
    block = Image.new("RGB", (columns * wide + _MARGIN, -(-len(group) // columns) * high), "white")
    draw = ImageDraw.Draw(block)
    for number, sample in enumerate(group):
        left, top = _MARGIN + number % columns * wide, number // columns * high
        for place, (domain, row) in enumerate(sample.items()):
            block.paste(_tile(manifest, domain, row), (left + place * (TILE + _GAP), top))
        shown = manifest.row_at(next(iter(sample.values())))
        caption = _short(f"{shown.cls}: {shown.key}" if shown.cls is not None else shown.key, _LONGEST * len(sample))
        draw.text((left, top + TILE + 1), caption, fill="black", font=ImageFont.load_default(11))
    return block


def _tile(manifest: Manifest, domain: str, number: int) -> Image.Image:
    row = manifest.row_at(number)
    names = manifest.head.labels.get(domain, ())
    place = f"{manifest.store.uri}: {row.shard}: {row.key} in domain {domain}"
    data = manifest.store.read_range(row.shard, row.offset, row.size, manifest.etags.get(row.shard, ""))
    if google_crc32c.value(data) != row.crc32c:
        raise OSError(f"{place} is damaged; `i2i-cluster shards verify` tells what else is")
    try:
        pixels = decode(data, manifest.domains[domain].channels, TILE, labels=bool(names))
    except (OSError, ValueError) as failure:
        raise OSError(f"{place} cannot be decoded: {failure}") from failure
    if len(names) > 1:
        return Image.fromarray(coloured(pixels, len(names)))
    return Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]).convert("RGB")


def _legend(domain: str, names: Sequence[str]) -> Image.Image:
    """The colours of a label map with their meanings."""
    image = Image.new("RGB", (_MARGIN + 90 * (len(names) + 1), _LINE + _MARGIN), "white")
    draw = ImageDraw.Draw(image)
    draw.text((_MARGIN, 0), _short(f"{domain}:", 12), fill="black", font=ImageFont.load_default(11))
    for i, (name, colour) in enumerate(zip(names, _colours(len(names)), strict=True), start=1):
        left = _MARGIN + 90 * i
        draw.rectangle((left, 1, left + 12, 13), fill=colour, outline="black")
        draw.text((left + 17, 0), _short(name, 12), fill="black", font=ImageFont.load_default(11))
    return image


def _text(text: str) -> Image.Image:
    image = Image.new("RGB", (_MARGIN + 8 * len(text), 2 * _LINE), "white")
    ImageDraw.Draw(image).text((_MARGIN, 8), text, fill="black", font=ImageFont.load_default(14))
    return image


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 3] + "..."


def _colours(classes: int) -> list[tuple[int, int, int]]:
    """White for the first class, which is the background, black for the second, then hues far from one another."""
    hues = [colorsys.hsv_to_rgb(i * 0.618 % 1, 0.65, 0.95) for i in range(max(0, classes - 2))]
    rest = [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in hues]
    return [(255, 255, 255), (0, 0, 0), *rest][:classes]
