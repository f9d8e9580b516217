"""`evaluate` on folders in which something is wrong: what is damaged, passed over or too small is told of."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainers.judging import Tiny, as_file

COUNT, SIDE = 9, 24


def fill(folder: Path, side: int = SIDE, suffix: str = "png", count: int = COUNT) -> Path:
    """A folder of noise, the same by every name but that of the folder."""
    folder.mkdir()
    for i in range(count):
        pixels = np.random.default_rng([len(folder.name), i]).integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.{suffix}")
    return folder


def spoil(file: Path) -> None:
    """Its header is good, and its pixels are not."""
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 3 // 4])


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """Here are folders real, made and sources, and a network in tiny.pt."""
    monkeypatch.chdir(tmp_path)
    for name in ("real", "made", "sources"):
        fill(Path(name))
    Path("tiny.pt").write_bytes(as_file(Tiny(), SIDE))
    return Path()


NETWORK = ("--features", "tiny=tiny.pt,range=0:1")
FOLDERS = ("evaluate", "--real", "real", "--fake", "made")


def answer(run, *arguments: str):
    code, out, err = run(*arguments, "-o", "json")
    assert code == 0, err
    return json.loads(out)


def wrong(run, *arguments: str) -> str:
    """The last line of what is refused."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    return str(err).splitlines()[-1].removeprefix("error: ")


@pytest.mark.parametrize("suffix", ["jpg", "bmp"])
def test_the_first_picture_may_be_the_damaged_one(run, place, suffix):
    spoil(fill(place / "cut", suffix=suffix) / f"00.{suffix}")
    told = answer(run, "evaluate", "--real", "real", "--fake", "cut", "--paired")
    assert (list(told["left_out"]), told["pictures"]["fake"]) == ([f"cut/00.{suffix}"], COUNT - 1)


@pytest.mark.parametrize("option", ["--real", "--fake", "--inputs"])
@pytest.mark.parametrize("more", [NETWORK, ("--paired",)], ids=["features", "paired"])
def test_a_folder_of_damaged_pictures_alone_is_refused(run, place, option, more):
    for file in fill(place / "cut", suffix="jpg").iterdir():
        spoil(file)
    folders = {"--real": "real", "--fake": "made", "--inputs": "sources", option: "cut"}
    given = [word for pair in folders.items() for word in pair]
    assert wrong(run, "evaluate", *given, *more) == f"{option}: none of the pictures could be read"


def test_notes_count_what_was_read(run, place):
    for file in sorted(fill(place / "cut", suffix="jpg").iterdir())[1:]:
        spoil(file)
    told = answer(run, "evaluate", "--real", "cut", "--fake", "made", *NETWORK)
    assert told["notes"] == ["fid and kid need at least 2 pictures of each kind, and there are 1"]


def test_pictures_smaller_than_ssim_s_window_have_the_other_scores(run, place):
    fill(place / "small", side=5)
    told = answer(run, "evaluate", "--real", "small", "--fake", "small", "--paired")
    assert told["scores"].keys() == {"l1", "psnr", "collapse"}
    assert told["notes"][-1] == "ssim has no value: its window needs pictures of 6 pixels a side"
    fill(place / "fits", side=6)
    assert answer(run, "evaluate", "--real", "fits", "--fake", "fits", "--paired")["scores"]["ssim"]["value"] == 1.0


def test_what_is_passed_over_is_told(run, place):
    for name, suffix in (("00", "tif"), ("01", "gif")):
        (place / f"made/{name}.png").rename(place / f"made/{name}.{suffix}")
    (place / "made/notes.txt").write_text("no picture, and nobody's loss")
    os.symlink(place.absolute() / "sources", place / "made/more")
    os.symlink("nowhere", place / "made/lost.png")
    told = answer(run, *FOLDERS, *NETWORK)
    assert told["pictures"]["fake"] == COUNT - 2
    assert told["notes"][0] == (
        "passed over in made: 2 pictures of a kind that is not read (.gif, .tif), 1 link to a folder, 1 name with no file behind it"
    )
    fill(place / "other", suffix="gif")
    assert wrong(run, "evaluate", "--real", "other", "--fake", "made", *NETWORK) == (
        f"--real: other holds no pictures (passed over in other: {COUNT} pictures of a kind that is not read (.gif)); "
        "has: .png, .jpg, .jpeg, .webp, .bmp"
    )


def test_one_folder_as_both_kinds_is_told(run, place):
    told = answer(run, "evaluate", "--real", "real", "--fake", "real", *NETWORK)
    assert told["notes"][0] == "real is the folder of --real as well"
    (place / "real/made").mkdir()
    for file in (place / "made").iterdir():
        file.rename(place / "real/made" / file.name)
    told = answer(run, "evaluate", "--real", "real", "--fake", "real/made", *NETWORK)
    inner = (place / "real/made").resolve()
    assert told["notes"][0] == f"{inner} lies in the folder of --real, whose pictures are also those below it"


def test_a_folder_that_may_not_be_read_is_told(run, place, monkeypatch):
    allowed = os.access
    (place / "made/more").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "more" and allowed(path, mode))
    assert answer(run, *FOLDERS, *NETWORK)["notes"][0] == "passed over in made: 1 folder that may not be read"
