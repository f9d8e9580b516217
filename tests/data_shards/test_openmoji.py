from pathlib import Path

import numpy as np
import pytest

from data_shards.errors import DataError
from data_shards.manifest import Manifest
from data_shards.openmoji import Emoji, build_openmoji
from data_shards.reader import Reader


def every(manifest: Manifest) -> list[str]:
    return manifest.pairs("train") + manifest.pairs("validation")


def test_lines_have_no_colour_and_lie_in_the_colour_picture(emojis: Manifest) -> None:
    reader = Reader(emojis, side=32)
    dark = []
    for key in every(emojis):
        line, colour = reader.read("a", key), reader.read("b", key)
        assert np.all(line == line[:, :, :1])
        assert not np.array_equal(line, colour)
        if (line < 40).any():
            dark.append(float(colour[line[:, :, 0] < 40].mean()))
    # Some lines are drawn again in white on a coloured ground (letters on buttons), so not every single one is dark.
    assert np.mean(np.array(dark) < 60) > 0.9


def test_variants_stay_on_one_side(emojis: Manifest) -> None:
    sides: dict[str | None, set[str]] = {}
    for key in every(emojis):
        row = emojis.row("a", key)
        sides.setdefault(row.cls, set()).add(row.split)
    assert all(len(found) == 1 for found in sides.values())
    assert len(emojis.pairs("train")) > len(emojis.pairs("validation")) > 0
    assert len(every(emojis)) <= 120


def test_no_picture_is_on_both_sides(emojis: Manifest) -> None:
    reader = Reader(emojis, side=32)
    shown = {
        split: {reader.read(domain, key).tobytes() for domain in "ab" for key in emojis.pairs(split)}
        for split in ("train", "validation")
    }
    assert not shown["train"] & shown["validation"]


@pytest.mark.parametrize(
    ("stem", "base", "flag", "text"),
    [
        ("1F600", "1f600", False, "grinning face"),
        ("1F590-1F3FB", "1f590", False, "raised hand with fingers splayed, light skin tone"),
        ("1F468-1F3FD-200D-1F52C", "1f9d1-1f52c", False, "man, medium skin tone, microscope"),
        ("1F469-200D-1F52C", "1f9d1-1f52c", False, "woman, microscope"),
        ("1F6B6-200D-2640-FE0F-200D-27A1-FE0F", "1f6b6", False, "pedestrian, female sign, black rightwards arrow"),
        ("2642", "2642", False, "male sign"),
        ("1F1E9-1F1EA", "1f1e9-1f1ea", True, "regional indicator symbol letter d, regional indicator symbol letter e"),
        ("1F3F3-FE0F-200D-1F308", "1f3f3-1f308", True, "waving white flag, rainbow"),
        ("E000", "e000", False, None),
    ],
)
def test_names(stem: str, base: str, flag: bool, text: str | None) -> None:
    emoji = Emoji(Path(f"{stem}.svg"))
    assert (emoji.base, emoji.flag, emoji.text) == (base, flag, text)


def test_what_is_left_out_is_said(emojis: Manifest) -> None:
    assert any("without colour left out" in note for note in emojis.head.notes)
    assert "CC BY-SA 4.0" in emojis.head.license


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a size of 4 pixels is not in 8\.\.1024"):
        build_openmoji(str(tmp_path / "out"), size=4)
    with pytest.raises(DataError, match="a limit of 0 pairs is not positive"):
        build_openmoji(str(tmp_path / "out"), limit=0)
