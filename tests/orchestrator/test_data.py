"""What is read of a data set for a plan, from its manifest alone."""

from pathlib import Path

import pytest

from data_shards.manifest import FILE, Head, Row, manifest_bytes
from orchestrator.errors import Refusal
from orchestrator.planning.data import read_data
from trainers.systems.catalog import SYSTEMS


def classified(folder: Path, paired: bool = True, **classes: str) -> str:
    """A data set of 6 training pairs and a validation pair, or as many pictures that are none; classes: domain -> a letter each,
    "-" for none."""
    names = tuple(sorted({*"".join(classes.values())} - {"-"}))
    rows = [
        Row("0.tar", 0, 9, key, domain, None if cls == "-" else cls, None, "train" if i < 6 else "validation", 0)
        for domain, given in classes.items()
        for i, cls in enumerate(given)
        for key in [f"{i}" if paired else f"{domain}{i}"]
    ]
    (folder / FILE).write_bytes(manifest_bytes(Head("toy", dict.fromkeys(classes, (3, 8, 8)), {}, names, {}), rows))
    return str(folder)


BALANCED = "data.balanced does nothing for {}: its training pictures have {}".format


@pytest.mark.parametrize(
    ("system", "a", "b", "notes"),
    [
        ("cyclegan", "-------", "------x", [BALANCED("a", "no classes"), BALANCED("b", "no classes")]),
        ("cyclegan", "xxyxxxx", "xxxxxxy", [BALANCED("b", "only one class, x")]),
        ("cyclegan", "x------", "xyxyxyx", []),
        ("pix2pix", "xyxyxyx", "-------", []),
        ("pix2pix", "-------", "xyxyxyx", [BALANCED("ab", "no classes")]),
    ],
)
def test_balancing_what_has_no_classes_is_told(tmp_path: Path, system: str, a: str, b: str, notes: list[str]) -> None:
    uri = classified(tmp_path, a=a, b=b)
    assert read_data(uri, SYSTEMS[system], {}, balanced=True).notes == tuple(notes)
    assert read_data(uri, SYSTEMS[system], {}).notes == ()


def test_a_limit_counts_where_it_is_below_what_there_is(tmp_path: Path) -> None:
    uri = classified(tmp_path, a="xxxxxxy", b="xxxxxxy")
    assert read_data(uri, SYSTEMS["cyclegan"], {"a": 4, "b": 9}).train == {"a": 4, "b": 6}
    assert read_data(uri, SYSTEMS["pix2pix"], {"a": 4, "b": 3}).train == {"ab": 3}


UNPAIRED = (
    "discogan, dualgan, distancegan, ost, unit, munit, cogan, augmented-cyclegan, simgan, dtn, bigan"  # and no classes
)


@pytest.mark.parametrize(
    ("a", "takers"),
    [
        ("xyxyxyx", f"cyclegan, balanced, {UNPAIRED}"),
        ("xyxyx-x", f"cyclegan, {UNPAIRED}"),
    ],
)
def test_where_there_are_no_pairs_the_systems_that_need_none_are_named(tmp_path: Path, a: str, takers: str) -> None:
    uri = classified(tmp_path, paired=False, a=a, b="-------")
    with pytest.raises(Refusal) as caught:
        read_data(uri, SYSTEMS["pix2pix"], {})
    assert str(caught.value) == (
        f"data.uri: pix2pix needs pairs, and toy has none to train on; unpaired pictures are for {takers}; "
        "`i2i-cluster shards build folder OUT --from DIR --paired` makes pairs of pictures of one name"
    )
