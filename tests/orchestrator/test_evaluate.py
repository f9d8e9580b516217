"""`evaluate`: scores of folders of pictures, the same as a training's, and every way in which folders can be wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orchestrator.evaluate.files import read_picture
from tests.trainers.judging import Flat, Tiny, as_file, tiny_module
from tests.trainers.worlds import IMAGE, engine
from trainers import compare
from trainers.evaluation import How
from trainers.evaluation import evaluate as score_a_training

COUNT = 11
Folders = dict[str, Path]


def pixels_of(kind: str, index: int) -> np.ndarray:
    return np.random.default_rng([ord(kind[0]), index]).integers(0, 200, (IMAGE, IMAGE, 3), np.uint8)


@pytest.fixture
def folders(tmp_path) -> Folders:
    found = {kind: tmp_path / kind for kind in ("real", "fake", "input")}
    for kind, folder in found.items():
        folder.mkdir()
        for i in range(COUNT):
            Image.fromarray(pixels_of(kind, i)).save(folder / f"{i:02d}.png")
    module: Path = tmp_path / "tiny.pt"
    module.write_bytes(as_file(Tiny()))
    return {**found, "module": module}


def asked(folders: Folders, *more: str) -> tuple[str, ...]:
    return ("evaluate", "--real", str(folders["real"]), "--fake", str(folders["fake"]), *more)


def network(folders: Folders, settings: str = ",range=0:1") -> tuple[str, str]:
    return "--features", f"tiny={folders['module']}{settings}"


def scores(run, *arguments: str) -> dict[str, dict[str, float]]:
    code, out, err = run(*arguments, "-o", "json")
    assert code == 0, err
    found: dict[str, dict[str, float]] = json.loads(out)["scores"]
    return found


def test_a_folder_has_the_scores_that_a_training_would_have(run, folders):
    class Stored(Flat):
        def image(self, domain, index):
            return pixels_of({"a": "input", "b": "real"}[domain], index)

    made = torch.from_numpy(np.stack([pixels_of("fake", i) for i in range(COUNT)])).permute(0, 3, 1, 2)
    batches = iter((made.float() / 127.5 - 1).split(8))
    of = engine("pix2pix")
    of.system.show = lambda images: {"fake_b": next(batches)}
    module = tiny_module()
    how = How(features=module, gives=frozenset(module.gives(3, IMAGE)))
    trained = score_a_training(of, Stored({}, truth=True, count=COUNT), how)[0]
    found = scores(run, *asked(folders, "--paired", "--inputs", str(folders["input"]), *network(folders)))
    assert {
        "l1",
        "psnr",
        "ssim",
        "fid[tiny]",
        "kid[tiny]",
        "is[tiny]",
        "lpips[tiny]",
        "content",
        "style",
        "cosine",
    } <= set(found)
    assert {"separation", "retrieval", "collapse", "distance_correlation", "distance_correlation_halves"} <= set(found)
    for name, score in found.items():
        assert score["value"] == pytest.approx(trained[f"eval/{name}"], rel=1e-6, abs=1e-9), name
        assert score["n"] == COUNT
    assert found["kid[tiny]"]["spread"] == pytest.approx(trained["eval/kid_spread[tiny]"], rel=1e-6)
    assert found["l1"]["spread"] > 0
    assert found["fid[tiny]"]["spread"] is None


def test_a_folder_beside_itself(run, folders):
    itself = ("evaluate", "--real", str(folders["real"]), "--fake", str(folders["real"]))
    found = scores(run, *itself, "--paired", *network(folders))
    assert found["fid[tiny]"]["value"] == pytest.approx(0.0, abs=1e-12)
    assert found["kid[tiny]"]["value"] == 0.0
    assert (found["l1"]["value"], found["collapse"]["value"]) == (0.0, 1.0)
    assert found["psnr"]["value"] == pytest.approx(100.0)


def test_people_see_a_table_and_what_to_know_of_it(run, folders):
    for i in range(3, COUNT):
        (folders["fake"] / f"{i:02d}.png").unlink()
    code, out, _ = run(*asked(folders, *network(folders), "--size", "24"))
    assert code == 0
    lines = out.splitlines()
    assert (lines[0], lines[1].split()) == ("Scores", ["score", "value", "spread", "pictures"])
    assert any(line.startswith("fid[tiny]") and line.endswith(" 3") for line in lines)
    assert lines[-2:] == [
        "note: fid[tiny] is of 3 pictures and 4 features: with fewer than 5 it is too large, by an amount that depends on their "
        "number; kid[tiny] is not",
        "note: every picture was brought to 24 x 24 pixels: its middle square, bicubic with antialiasing",
    ]


def test_what_cannot_be_read_is_left_out_with_its_partner_and_named(run, folders):
    (folders["real"] / "03.png").write_bytes(b"no picture")
    whole = (folders["fake"] / "05.png").read_bytes()
    (folders["fake"] / "05.png").write_bytes(whole[: len(whole) // 2])  # its header is there
    code, out, err = run(*asked(folders, "--paired", *network(folders)), "-o", "json")
    told = json.loads(out)
    assert code == 0
    assert told["pictures"] == {"fake": COUNT - 2, "real": COUNT - 2}
    assert {Path(file).parent.name + Path(file).name for file in told["left_out"]} == {"real03.png", "fake05.png"}
    assert f"left out {folders['real']}/03.png: not a picture of a known kind, or damaged" in err
    assert f"left out {folders['fake']}/05.png: " in err


def wrong(run, *arguments: str) -> str:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    return str(err).strip().removeprefix("error: ")


def test_folders_that_are_wrong(run, folders, tmp_path):
    (tmp_path / "empty").mkdir()
    folders = {**folders, "fake": tmp_path / "empty"}
    assert wrong(run, *asked(folders, "--paired")) == (
        f"--fake: {tmp_path}/empty holds no pictures; has: .png, .jpg, .jpeg, .webp, .bmp"
    )
    folders["fake"] = tmp_path / "nowhere"
    assert wrong(run, *asked(folders, "--paired")) == f"--fake: {tmp_path}/nowhere is not a folder"
    folders["fake"] = folders["real"]
    assert wrong(run, *asked(folders)) == (
        "--features: without one of these there is nothing to compare by: give --features NAME=PATH or --task TASK for fid, kid "
        "and is, or --paired for l1, psnr and ssim"
    )
    Image.fromarray(pixels_of("real", 0)).save(folders["real"] / "00.bmp")
    assert wrong(run, *asked(folders, "--paired")) == (
        f"--real: {folders['real']}/00.bmp and {folders['real']}/00.png have one name; keep one of them"
    )


def test_names_and_sizes_that_do_not_fit(run, folders):
    for i in range(5):
        (folders["fake"] / f"{i:02d}.png").rename(folders["fake"] / f"{i:02d}_fake.png")
    assert wrong(run, *asked(folders, "--paired")) == (
        "--fake: 5 of 11 pictures have no partner of their name in --real: 00_fake (nearest: 00), 01_fake (nearest: 01), 02_fake "
        "(nearest: 02) and 2 more"
    )
    assert wrong(run, *asked(folders, "--inputs", str(folders["input"]), *network(folders))).startswith(
        "--fake: 5 of 11 pictures have no partner of their name in --inputs: 00_fake"
    )
    Image.fromarray(pixels_of("fake", 1)[:20]).save(folders["fake"] / "07.png")
    assert wrong(run, *asked(folders, *network(folders))) == (
        f"{folders['fake']}/07.png is 32 x 20, and {folders['real']}/00.png is 32 x 32; --size N brings all to N x N pixels: the "
        "middle square, bicubic with antialiasing"
    )
    assert scores(run, *asked(folders, *network(folders), "--size", "16"))["kid[tiny]"]["n"] == COUNT


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("tiny", "is NAME=PATH, such as inception=inception.pt,image=299"),
        ("tiny=nowhere.pt", "nowhere.pt is not there, or no file"),
        ("tiny=x.pt,imag=3", "unknown setting 'imag'; nearest: image; has: image, range, channels"),
        ("tiny=x.pt,image=big", "image=big is not understood; write image=299"),
        ("tiny=x.pt,range=1", "range=1 is not understood; write range=0:1"),
    ],
)
def test_networks_that_are_wrong(run, folders, text, line):
    assert wrong(run, *asked(folders, "--features", text)) == f"--features: {line}"


def test_pictures_are_shown_upright_and_on_white(tmp_path):
    clear = np.zeros((4, 6, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert (read_picture(tmp_path / "clear.png", None) == 255).all()
    assert read_picture(tmp_path / "clear.png", 3).shape == (3, 3, 3)


def test_what_is_held_does_not_grow_with_the_pictures(monkeypatch):
    """Sums stay as they are, and features are kept of a part, evenly."""
    monkeypatch.setattr(compare, "MOST", 8)
    total = 24

    def held(count: int) -> int:
        comparison = compare.Comparison({tiny_module(): ()}, {"real": total, "fake": total}, paired=False)
        for kind in ("real", "fake"):
            for start in range(0, count, 8):
                comparison.look({kind: np.stack([pixels_of(kind, i) for i in range(start, start + 8)])})
        (network,) = comparison._networks
        kept = [rows for parts in network._kept.values() for rows in parts]
        assert sum(map(len, kept)) == 2 * (8 * count // total)
        found = comparison.scores()
        assert (found["kid[tiny]"].n, found["fid[tiny]"].n) == (8 * count // total, count)
        sums = [*network._styles.values(), *(v for of in network._moments.values() for v in vars(of).values())]
        return sum(value.numel() for value in sums if isinstance(value, torch.Tensor))

    assert held(8) == held(24)
    assert [compare.is_kept(i, 20) for i in range(20)].count(True) == 8
