"""Data sets and task networks for the trainings that must learn, and the record of what they learnt."""

import os
from pathlib import Path

import pytest

from tests.learning import drawings, framed
from tests.learning.laboratory import ROOT, Laboratory, record

VARIABLE = "I2I_LEARNING"  # the folder of the pages to write the results into, relative to the repository


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory):
    """A folder to work in."""
    return Laboratory(tmp_path_factory.mktemp("learning"))


@pytest.fixture(scope="session")
def digits(laboratory):
    """Digits of 32 pixels, a: MNIST, b: optdigits."""
    laboratory.command("shards", "build", "digits", "shards/digits", "--size", "32", "--validation", "0.2")
    return "shards/digits"


@pytest.fixture(scope="session")
def reader(laboratory, digits):
    """A classifier of optdigits."""
    laboratory.command("task", "train", "--data", digits, "--domain", "b", "--steps", "1500", "--name", "reader")
    return "reader"


@pytest.fixture(scope="session")
def source_reader(laboratory, digits):
    """A classifier of MNIST."""
    laboratory.command("task", "train", "--data", digits, "--domain", "a", "--steps", "800", "--name", "source-reader")
    return "source-reader"


@pytest.fixture(scope="session")
def framed_digits(laboratory):
    """Digits that fill their pictures alike, a: optdigits, b: MNIST."""
    framed.write(laboratory.folder / "framed")
    laboratory.command("shards", "build", "folder", "shards/framed", "--from", "framed", "--validation", "0.2")
    return "shards/framed"


@pytest.fixture(scope="session")
def framed_reader(laboratory, framed_digits):
    """A classifier of MNIST's."""
    reader = ("--domain", "b", "--steps", "1000", "--name", "framed-reader")
    laboratory.command("task", "train", "--data", framed_digits, *reader)
    return "framed-reader"


@pytest.fixture(scope="session")
def openmoji(laboratory):
    """All of OpenMoji at 32 pixels, as shards."""
    laboratory.command("shards", "build", "openmoji", "shards/openmoji", "--size", "32")
    return laboratory.folder / "shards" / "openmoji"


@pytest.fixture(scope="session")
def tones(laboratory, openmoji):
    """Drawings, each in five skin tones; those of one drawing are all for training or all for validation."""
    drawings.sort(openmoji, laboratory.folder / "tones", drawings.tone)
    laboratory.command(
        "shards", "build", "folder", "shards/tones", "--from", "tones", "--paired", "--validation", "0.3"
    )
    return "shards/tones"


@pytest.fixture(scope="session")
def five_tones(laboratory):
    """People of 32 pixels in five skin tones, which are their classes, with label maps of what is skin."""
    size = ("--size", "32", "--validation", "0.2")
    laboratory.command("shards", "build", "openmoji", "shards/five", *size, "--classes", "five-tones", "--labels")
    return "shards/five"


@pytest.fixture(scope="session")
def told_tones(laboratory):
    """The same people by their names, which tell the tone."""
    size = ("--size", "32", "--validation", "0.2")
    laboratory.command("shards", "build", "openmoji", "shards/told", *size, "--classes", "five-tones", "--texts")
    return "shards/told"


@pytest.fixture(scope="session")
def tone_reader(laboratory, told_tones):
    """A classifier of the five tones."""
    laboratory.command(
        "task", "train", "--data", told_tones, "--domain", "b", "--steps", "800", "--name", "tone-reader"
    )
    return "tone-reader"


@pytest.fixture(scope="session")
def colours(laboratory, openmoji):
    """Drawings without a skin tone; their classes are their commonest colours."""
    drawings.sort(openmoji, laboratory.folder / "colours", drawings.colour)
    laboratory.command(
        "shards", "build", "folder", "shards/colours", "--from", "colours", "--paired", "--validation", "0.28"
    )
    return "shards/colours"


@pytest.fixture(scope="session")
def colour_reader(laboratory, colours):
    """A classifier of colours."""
    laboratory.command(
        "task", "train", "--data", colours, "--domain", "b", "--steps", "1500", "--name", "colour-reader"
    )
    return "colour-reader"


@pytest.fixture
def learnt(record_property):
    """Write what a system learnt into its page, where `make slow` asks for it."""

    def write(system: str, text: str) -> None:
        record_property("learnt", f"{system}: {text}")
        if folder := os.environ.get(VARIABLE):
            record(ROOT / folder / f"{system}.md", text)

    return write


def pytest_collection_modifyitems(items):
    """All of this takes minutes."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.ray)
