"""`study make`: what is on the page, which pictures it takes, and every way in which folders can be wrong."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.errors import Refusal
from orchestrator.study import making
from orchestrator.study.making import Wanted, make_page
from orchestrator.study.picking import Trials, check_enough, pick
from orchestrator.study.room import Room
from tests.orchestrator.reported import decoded
from tests.orchestrator.study.made import folder


@pytest.fixture
def sides(tmp_path):
    """Six pictures of each kind."""
    return folder(tmp_path, "real", 6), folder(tmp_path, "fake", 6)


@pytest.fixture
def refused(run, tmp_path):
    """refused(real, fake, "--paired"): the lines of the refusal."""

    def lines(real, fake, *more):
        code, out, err = run("study", "make", "--real", real, "--fake", fake, "--out", tmp_path / "study.html", *more)
        assert (code, out) == (2, ""), err
        assert not (tmp_path / "study.html").exists()
        return [line.removeprefix("error: ").replace(str(tmp_path), "HERE") for line in err.splitlines()]

    return lines


SHORT = ("--practice", "2", "--scored", "4")
FIFTY = "50 trials (10 practice, 40 scored)"


def page_of(real, fake, **more):
    """The page's text and what its scripts read."""
    page, _ = make_page(Wanted(real, fake, **{"practice": 2, "scored": 4, **more}))
    (found,) = re.findall(rb'<script type="application/json" id="data">(.*?)</script>', page)
    return page.decode(), json.loads(found)


def test_it_is_one_file_that_asks_for_nothing(sides, tmp_path, run):
    out = tmp_path / "cyclegan.html"
    code, told, err = run("study", "make", "--real", sides[0], "--fake", sides[1], *SHORT, "--out", out)
    assert (code, err) == (0, "")
    page = out.read_text()
    lines = re.sub(r"[0-9.]+kB", "SIZE", told).replace(str(tmp_path), "HERE").splitlines()
    assert re.fullmatch(r"study [0-9a-f]{12} \(fake\): 6 real and 6 fake pictures", lines[0])
    assert lines[1:] == [
        "a participant sees 2 trials of practice and 4 that count, each picture for 1 s",
        "wrote HERE/cyclegan.html (SIZE)",
    ]
    assert not re.findall(r"https?://|<link rel=\"style|<script src|@import|url\(|\son\w+=|\sstyle=", page)
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in page
    assert "unsafe" not in page
    assert "{{" not in page


def test_both_sides_are_alike_but_for_what_they_show(tmp_path):
    real, fake = tmp_path / "real", folder(tmp_path, "fake", 6, side=40)
    real.mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (90, 60), np.uint8)
        Image.fromarray(pixels).save(real / f"{number}.jpg", quality=60)
    _, study = page_of(real, fake, size=48)
    pictures = [uri for side in ("real", "fake") for _, uri in study[side]]
    assert {decoded(uri) for uri in pictures} == {("PNG", (48, 48))}
    assert (study["width"], study["height"]) == (48, 48)
    assert len({uri.partition(",")[0] for uri in pictures}) == 1
    assert sorted(file for file, _ in study["real"]) == [f"{number}.jpg" for number in range(6)]


def test_a_title_and_names_mean_nothing_to_html(tmp_path):
    evil = "<img src=x onerror=alert(1)>"
    real = folder(tmp_path, "real", 6, name="<script>{}.png")
    page, study = page_of(real, folder(tmp_path, "fake", 6), title=f"{evil} {{{{ data }}}}", name="</script>")
    assert evil not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt; {{ data }}") == 2
    assert page.count("</script>") == 2
    assert (study["name"], study["title"]) == ("</script>", f"{evil} {{{{ data }}}}")


def test_the_id_is_of_settings_and_pictures(sides):
    first = page_of(*sides)[1]["study"]
    assert page_of(*sides)[1]["study"] == first
    for more in ({"exposure": "250ms"}, {"scored": 3}, {"paired": True}, {"size": 16}, {"name": "other"}):
        assert page_of(*sides, **more)[1]["study"] != first
    Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(sides[1] / "03.png")
    assert page_of(*sides)[1]["study"] != first, "another picture by the same name"


def test_which_pictures_follows_from_the_seed():
    names = {f"{number}": Path(f"{number}.png") for number in range(40)}
    trials = Trials(practice=2, scored=6)
    real, fake = pick(names, names, trials, paired=False, seed=3)
    assert (len(set(real)), len(set(fake))) == (8, 8)
    assert real != fake
    assert pick(names, names, trials, paired=False, seed=3) == (real, fake)
    assert pick(names, names, trials, paired=False, seed=4)[0] != real
    pairs = pick(names, names, Trials(2, 6, pictures=30), paired=True, seed=3)
    assert pairs[0] == pairs[1]
    assert len(set(pairs[0])) == 30
    more = pick({**names, "new": Path("new.png")}, names, trials, paired=False, seed=3)[0]
    assert len(set(more) - set(real)) <= 1, "one more picture exchanges at most one"
    taken = [name for seed in range(300) for name in pick(names, names, trials, paired=False, seed=seed)[0]]
    assert all(30 < taken.count(name) < 95 for name in names), "each 60 times of 300"


@pytest.mark.parametrize(
    ("counts", "trials", "paired", "lines"),
    [
        (
            (30, 60),
            Trials(10, 40),
            False,
            [
                f"--real: 30 pictures are too few for {FIFTY}; --scored 20 takes what there is, or --pictures 30 shows "
                "some more than once"
            ],
        ),
        (
            (9, 1),
            Trials(10, 40),
            False,
            [
                f"--real: 9 pictures are too few for {FIFTY}; lower --practice and --scored, or --pictures 9 shows "
                "some more than once",
                f"--fake: 1 picture is too few for {FIFTY}; lower --practice and --scored",
            ],
        ),
        (
            (30, 30),
            Trials(10, 40),
            True,
            [f"--real: 30 pairs are too few for {FIFTY}; --scored 20 takes what there is"],
        ),
        (
            (90, 90),
            Trials(10, 40, 20),
            True,
            [f"--pictures: 20 pairs are too few for {FIFTY}: no pair is shown twice; leave it out"],
        ),
        (
            (90, 5),
            Trials(10, 40, 7),
            False,
            [f"--pictures: 7 real and 5 fake pictures make 35 different pairs, too few for {FIFTY}"],
        ),
    ],
)
def test_too_few_pictures(counts, trials, paired, lines):
    with pytest.raises(Refusal) as caught:
        check_enough(counts[0], counts[1], trials, paired=paired)
    assert caught.value.lines() == lines


@pytest.mark.parametrize(("counts", "trials"), [((50, 50), Trials(10, 40)), ((8, 7), Trials(10, 40, 10))])
def test_just_enough_pictures(counts, trials):
    check_enough(counts[0], counts[1], trials, paired=False)


def test_folders_that_are_none(refused, sides, tmp_path):
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty", tmp_path / "none", *SHORT) == [
        "--real: HERE/empty holds no pictures; has: .png, .jpg, .jpeg, .webp, .bmp",
        "--fake: HERE/none is not a folder",
    ]
    assert refused(sides[0], sides[0] / ".." / "real") == ["--fake: HERE/real/../real is the folder of --real as well"]
    inner = folder(sides[0], "fake", 6)
    assert refused(sides[0], inner) == ["--fake: HERE/real/fake lies in the folder of --real; give each its own"]


def test_pairs_without_a_partner_are_named(refused, sides):
    (sides[0] / "03.png").rename(sides[0] / "033.png")
    assert refused(*sides, "--paired", *SHORT) == [
        "--real: 1 of 6 pictures have no partner of their name in --fake: 033 (nearest: 03)",
        "--fake: 1 of 6 pictures have no partner of their name in --real: 03 (nearest: 033)",
    ]


def test_pictures_that_are_none_are_named(refused, sides):
    (sides[0] / "02.png").write_bytes(b"no picture")
    (line,) = refused(*sides, *SHORT)
    assert line.startswith(
        "--real: cannot be read; mend or remove them: HERE/real/02.png (not a picture of a known kind"
    )
    whole = (sides[1] / "01.png").read_bytes()
    (sides[0] / "02.png").unlink()
    (sides[1] / "01.png").write_bytes(whole[: len(whole) // 2])
    (line,) = refused(*sides, "--practice", 0, "--scored", 1, "--pictures", 6)
    assert line.startswith("--fake: cannot be read; mend or remove them: HERE/fake/01.png (")


def test_other_sizes_are_told(refused, sides, tmp_path):
    folder(tmp_path, "fake", 1, side=33)
    assert refused(*sides, *SHORT) == [
        "HERE/fake/00.png is 33 x 33, and HERE/real/00.png is 32 x 32; --size N brings all to N x N pixels: the middle square, "
        "bicubic with antialiasing"
    ]


def test_one_picture_on_both_sides_is_told(refused, sides):
    (sides[1] / "04.png").write_bytes((sides[0] / "02.png").read_bytes())
    assert refused(*sides, *SHORT) == ["--fake: shows the same as --real, pixel for pixel: 02.png and 04.png"]


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("--exposure", "1", "must be a time with its unit (such as 1s or 250ms), not '1'"),
        ("--exposure", "5ms", "must be from 20 ms to 60 s, not '5ms'"),
        ("--exposure", "2m", "must be from 20 ms to 60 s, not '2m'"),
        ("--title", " ", "must be a line of text"),
        ("--name", "a\nb", "must be a line of text"),
        ("--title", "x" * 201, "must be at most 200 characters, not 201"),
        ("--out", "/nowhere/x.html", "/nowhere is no folder; make it first"),
    ],
)
def test_settings_that_are_wrong(refused, sides, option, value, line):
    assert refused(*sides, *SHORT, option, value) == [f"{option}: {line}"]


def test_what_does_not_fit_says_what_would(monkeypatch, refused, tmp_path):
    monkeypatch.setattr(making, "Room", lambda: Room(most=400_000))
    for place, kind in enumerate(("real", "fake")):
        (tmp_path / kind).mkdir()
        for number in range(20):
            pixels = np.random.default_rng([place, number]).integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / kind / f"{number}.png")
    sides = tmp_path / "real", tmp_path / "fake"
    assert refused(*sides, "--practice", 1, "--scored", 7) == [
        "16 pictures of 64 x 64 make a page of about 600kB, more than the 400kB that a mail and a phone take: --size 32 makes "
        "them smaller, --pictures 3 takes fewer and shows some more than once, --scored 2 takes fewer"
    ]
    for mended in ({"size": 32}, {"pictures": 3}, {"scored": 2}):
        page, _ = page_of(*sides, **{"practice": 1, "scored": 7, **mended})
        assert len(page) <= 400_000
    (line,) = refused(*sides, "--paired", "--practice", 2, "--scored", 3, "--pictures", 20)
    assert line.endswith("take: --size 16 makes them smaller, --scored 1 without --pictures takes fewer")
    (line,) = refused(*sides, "--paired", "--practice", 1, "--scored", 1, "--pictures", 20)
    assert line.endswith("take: --size 16 makes them smaller, --pictures 3 takes fewer")
