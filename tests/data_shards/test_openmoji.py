from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_shards.build.openmoji import Emoji, build_openmoji
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from tests.data_shards.showing import shown


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The pairs of `emojis` with label maps, and skin tones as classes."""
    out = str(tmp_path_factory.mktemp("labelled") / "shards")
    return Manifest.open(build_openmoji(out, size=32, limit=120, labels=True, classes="skin-tone").uri)


def every(manifest: Manifest) -> list[str]:
    return manifest.pairs("train") + manifest.pairs("validation")


def test_lines_have_no_colour_and_lie_in_the_colour_picture(emojis: Manifest) -> None:
    dark = []
    for key in every(emojis):
        line, colour = shown(emojis, "a", key, 32), shown(emojis, "b", key, 32)
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
    pixels = {
        split: {shown(emojis, domain, key, 32).tobytes() for domain in "ab" for key in emojis.pairs(split)}
        for split in ("train", "validation")
    }
    assert not pixels["train"] & pixels["validation"]


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


@pytest.mark.parametrize(
    ("stem", "tone"),
    [
        ("1F600", "none"),
        ("1F590-1F3FB", "light"),
        ("1F468-1F3FD-200D-1F52C", "medium"),
        ("1F9D1-1F3FF-200D-1F91D-200D-1F9D1-1F3FF", "dark"),
        ("1F9D1-1F3FB-200D-1F91D-200D-1F9D1-1F3FF", None),
    ],
)
def test_skin_tones(stem: str, tone: str | None) -> None:
    assert Emoji(Path(f"{stem}.svg")).skin_tone == tone


@pytest.mark.parametrize(
    ("stem", "attributes"),
    [
        ("1F600", ""),
        ("1F468-1F3FD-200D-1F52C", "male medium-skin"),
        ("1F6B6-200D-2640-FE0F-200D-27A1-FE0F", "female"),
        ("1F469-1F3FF-200D-1F9B0", "dark-skin female red-hair"),
        ("1F469-1F3FB-200D-1F91D-200D-1F468-1F3FF", "dark-skin female light-skin male"),
    ],
)
def test_attributes(stem: str, attributes: str) -> None:
    assert Emoji(Path(f"{stem}.svg")).attributes == attributes


def test_attributes_stand_beside_what_there_is_without(emojis: Manifest, tmp_path: Path) -> None:
    told = Manifest.open(build_openmoji(str(tmp_path / "out"), size=32, limit=120, attributes=True).uri)
    assert "attributes" not in emojis.head.record()
    assert "female" in told.head.attributes
    for key in every(told):
        there = emojis.row("b", key)
        told_of = replace(told.row("b", key), offset=there.offset, shard=there.shard)
        assert told_of == replace(there, attributes=Emoji(Path(f"{key}.svg")).attributes)


def test_labels_lie_where_the_pictures_say(labelled: Manifest, emojis: Manifest) -> None:
    assert labelled.head.labels == {"labels": ("background", "line", "skin", "hair", "colour")}
    assert labelled.domains["labels"].channels == 1
    assert labelled.pairs("validation") == emojis.pairs("validation"), "the split is the same with and without labels"
    levels = [0, 64, 128, 191, 255]
    seen = set()
    for key in every(labelled):
        line, colour, label = (shown(labelled, domain, key, 32) for domain in ("a", "b", "labels"))
        assert set(np.unique(label)) <= set(levels)
        seen |= set(np.unique(label).tolist())
        inside = (label[:, :, 0] == 0) & (np.roll(label[:, :, 0], 1, 0) == 0) & (np.roll(label[:, :, 0], -1, 0) == 0)
        drawn = (line.min(axis=2) < 20) & (colour.max(axis=2) < 20)  # black in both: a line, not an edge of one
        assert np.isin(label[:, :, 0][drawn], [64, 128, 191, 255]).all()
        assert (colour[inside].mean() if inside.any() else 255) > 200, "where nothing is drawn, it is white"
    assert seen == set(levels)


def test_classes_are_skin_tones_where_asked_for(labelled: Manifest) -> None:
    assert set(labelled.head.classes) == {"none", "light", "medium-light", "medium", "medium-dark", "dark"}
    for key in every(labelled):
        tone = Emoji(Path(f"{key}.svg")).skin_tone
        assert labelled.row("b", key).cls == labelled.row("labels", key).cls == tone


def test_five_tones_are_all_there_of_each_drawing_and_nothing_else(tmp_path: Path) -> None:
    toned = Manifest.open(build_openmoji(str(tmp_path / "out"), size=32, limit=60, classes="five-tones").uri)
    assert set(toned.head.classes) == {"light", "medium-light", "medium", "medium-dark", "dark"}
    tones: dict[str, set[str | None]] = {}
    for key in every(toned):
        emoji = Emoji(Path(f"{key}.svg"))
        assert toned.row("b", key).cls == emoji.skin_tone
        codes = "-".join(f"{code:x}" for code in emoji.codes if not 0x1F3FB <= code <= 0x1F3FF)
        tones.setdefault(codes, set()).add(emoji.skin_tone)
    assert len(tones) > 5
    assert all(len(found) == 5 for found in tones.values())


def test_each_has_a_text_where_that_is_asked_for(tmp_path: Path) -> None:
    told = Manifest.open(build_openmoji(str(tmp_path / "out"), size=32, limit=60, texts=True).uri)
    assert told.head.recipe["arguments"]["texts"] is True
    assert len(every(told)) > 40
    for key in every(told):
        assert told.row("b", key).text == Emoji(Path(f"{key}.svg")).text is not None


def test_what_is_not_asked_for_changes_nothing(emojis: Manifest) -> None:
    assert dict(emojis.head.recipe["arguments"]) == {"size": 32, "validation": 0.1, "limit": 120}
    assert list(emojis.domains) == ["a", "b"]


def test_what_is_left_out_is_said(emojis: Manifest) -> None:
    assert any("without colour left out" in note for note in emojis.head.notes)
    assert "CC BY-SA 4.0" in emojis.head.license


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a size of 4 pixels is not in 8\.\.1024"):
        build_openmoji(str(tmp_path / "out"), size=4)
    with pytest.raises(DataError, match="a limit of 0 pairs is not positive"):
        build_openmoji(str(tmp_path / "out"), limit=0)
    with pytest.raises(DataError, match="unknown classes 'skin'; nearest: skin-tone"):
        build_openmoji(str(tmp_path / "out"), classes="skin")
