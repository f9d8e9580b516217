"""Pictures of a domain that are stored alike: the truths of one drawing, among the chosen pictures and beyond them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import data_shards.validation
from cluster.data import Samples
from data_shards.build.folder import build_folder
from data_shards.manifest import Manifest
from data_shards.plain.data import PlainData
from data_shards.plain.validation import PlainValidation
from data_shards.validation import Validation
from tests.data_shards.plain_world import DOMAINS, SIDE, pairs, picture, write

Paint = Callable[..., Any]
SHARED = ("03", "07", "11", "19")  # have one picture of a


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory, paint: Paint) -> Manifest:
    """24 pairs, all to validate, some of them with the same picture of a."""
    root = tmp_path_factory.mktemp("drawings")
    for i in range(24):
        key = f"{i:02d}"
        paint(root / f"source/a/{key}.png", seed=3 if key in SHARED else i)
        paint(root / f"source/b/{key}.png", seed=100 + i)
    build_folder(str(root / "shards"), source=str(root / "source"), paired=True, validation=0.9)
    return Manifest.open(str(root / "shards"))


def opened(manifest: Manifest, limit: int) -> Validation:
    return Validation(manifest, domains=DOMAINS, image=12, limit=limit)


def test_twins_are_found_beyond_the_chosen_pictures(drawings: Manifest) -> None:
    shared = set(SHARED) & set(drawings.keys("a", "validation"))
    assert len(shared) > 2, "they must be of the validation split"
    for limit in (1, 6, 24):
        some = opened(drawings, limit)
        chosen = some.keys("a")
        for key in chosen:
            twins = some.twins("a", key)
            assert set(twins) == (shared if key in shared else {key})
            known = [key in chosen for key in twins]
            assert known == sorted(known, reverse=True), "those that are chosen come first"
            assert len({some.read("a", twin).tobytes() for twin in twins}) == 1
            assert len({some.read("b", twin).tobytes() for twin in twins}) == len(twins)
        assert some.keys("a") == some.keys("b") == chosen, "nothing more is chosen"


def test_all_of_a_group_have_the_same_twins_in_the_same_order(drawings: Manifest) -> None:
    some = opened(drawings, 24)
    groups = {tuple(some.twins("a", key)) for key in some.keys("a")}
    assert sorted(key for group in groups for key in group) == sorted(some.keys("a"))


def test_there_are_no_more_twins_than_anybody_would_look_at(
    drawings: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_shards.validation, "MOST_TWINS", 2)
    some = opened(drawings, 24)
    assert max(len(some.twins("a", key)) for key in some.keys("a")) == 2


def test_truths_are_numbers_of_pictures_and_the_first_of_a_group_is_the_least(drawings: Manifest) -> None:
    whole, some = Samples(opened(drawings, 24)), Samples(opened(drawings, 6))
    assert some.count("a") == some.count("b") == 6
    beyond = 0
    for index in range(6):
        truths = some.truths(index)
        assert index in truths
        for truth in truths:
            beyond += truth >= 6
            assert np.array_equal(some.image("a", truth), some.image("a", index))
        assert any(np.array_equal(some.image("b", index), some.image("b", truth)) for truth in truths)
        assert len(truths) == len(whole.truths(index))
    firsts = {index for index in range(6) if index == min(some.truths(index))}
    numbers = [truth for index in firsts for truth in some.truths(index)]
    assert len(numbers) == len(set(numbers)) and set(range(6)) <= set(numbers)
    assert beyond, "the limit would not be told apart"


def test_without_a_manifest_twins_are_among_what_is_kept(tmp_path: Path) -> None:
    samples = pairs(6)
    samples[4]["a.png"] = samples[1]["a.png"] = picture("a", 77)
    folder = write(tmp_path, "val-%03d.tar", samples, 3)
    write(folder, "train-%03d.tar", pairs(3, 50), 3)
    kept = PlainValidation(
        PlainData(str(folder), {}), domains=DOMAINS, paired=True, channels={"a": 3, "b": 3}, image=SIDE, limit=6
    )
    seen = Samples(kept)
    assert [seen.truths(index) for index in range(6)] == [[0], [1, 4], [2], [3], [1, 4], [5]]
