"""`translate` with models that were made, not trained: what goes in, what comes out, what is refused."""

import json
import os
from pathlib import PurePath

import numpy as np
import pytest

from cluster.model import Model, load_best
from cluster.model_use import Maker
from data_shards.store import open_store
from orchestrator.errors import Refusal
from orchestrator.models.pictures import Reader, find_pictures
from tests.orchestrator.models import SIDE, picture, pixels_of, stored
from tests.trainers import worlds


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """sweeps("cyclegan", width=4): the folder of a sweep with a model, made once."""
    made = {}

    def sweep(system, attributes=(), **hyper):
        key = (system, attributes, *hyper.items())
        if key not in made:
            made[key] = stored(tmp_path_factory.mktemp(system), system, attributes, **hyper)
        return made[key]

    return sweep


def names(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def refused(ran):
    code, out, err = ran
    assert (code, out) == (2, ""), err
    return err


def test_a_folder_a_pattern_and_one_picture_come_to_the_same(run, sweeps, tmp_path):
    sweep = sweeps("cyclegan")
    for place in ("in/x.png", "in/deep/y.png"):
        picture(tmp_path / place, seed=len(place))
    assert run("translate", sweep, tmp_path / "in", tmp_path / "one")[0] == 0
    code, out, _ = run("translate", sweep, f"{tmp_path}/in/**/*.png", tmp_path / "two", "--batch", 2)
    assert (code, out) == (0, f"translated 2 pictures to {tmp_path}/two at 32 x 32 pixels\n")
    run("translate", sweep, tmp_path / "in" / "x.png", tmp_path / "three")
    assert names(tmp_path / "one") == names(tmp_path / "two") == ["deep/y.png", "x.png"]
    assert names(tmp_path / "three") == ["x.png"]
    first = pixels_of(tmp_path / "one" / "x.png")
    model = load_best(open_store(str(sweep.parent)), sweep.name)
    assert np.array_equal(first, model.translate(pixels_of(tmp_path / "in" / "x.png"), "b"))
    assert np.array_equal(first, pixels_of(tmp_path / "three" / "x.png"))
    together = pixels_of(tmp_path / "two" / "x.png").astype(int)
    assert np.abs(together - first).max() <= 1, "beside others rounding may differ, and nothing else"


def test_pictures_keep_their_own_size_and_what_was_added_is_cut_off(run, sweeps, tmp_path):
    sweep = sweeps("cyclegan")
    picture(tmp_path / "in" / "odd.png", 41, 50)
    picture(tmp_path / "in" / "even.png", 40, 52)
    picture(tmp_path / "in" / "dot.png", 1, 1)
    code, out, err = run("translate", sweep, tmp_path / "in", tmp_path / "out", "--size", "keep", "-o", "json")
    assert code == 0
    told = json.loads(out)
    assert [(o["height"], o["width"]) for o in told["outputs"]] == [(40, 52), (41, 50)]
    assert told["model"]["trial"] == 0 and told["model"]["step"] == 10
    assert told["left_out"][0]["why"] == "1 x 1 pixels are too few for this model's networks"
    assert err == f"left out {tmp_path}/in/dot.png: 1 x 1 pixels are too few for this model's networks\n"
    assert pixels_of(tmp_path / "out" / "odd.png").shape == (41, 50, 3)
    run("translate", sweep, tmp_path / "in" / "even.png", tmp_path / "large", "--size", 64)
    assert pixels_of(tmp_path / "large" / "even.png").shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("system", "size", "line"),
    [
        ("cyclegan", "66", "--size: this model takes multiples of 4, not 66; nearest: 64 or 68"),
        ("cyclegan", "4", "--size: 4 x 4 pixels are too few for this model's networks; nearest: 32"),
        ("cyclegan", "huge", "--size: cannot be 'huge': a side in pixels, or 'keep'"),
        ("augmented-cyclegan", "33", "--size: this model takes multiples of 2, not 33; nearest: 32 or 34"),
    ],
)
def test_sizes_that_the_networks_do_not_take_are_refused(run, sweeps, tmp_path, system, size, line):
    picture(tmp_path / "in" / "x.png")
    err = refused(run("translate", sweeps(system), tmp_path / "in", tmp_path / "out", "--size", size))
    assert err == f"error: {line}\n"
    assert not (tmp_path / "out").exists(), "nothing is made for what is refused"


def test_a_network_of_one_size_alone_says_so():
    maker = Maker(Model(worlds.build("dtn"), worlds.SHAPES, {}), "b")  # one layer sees all of its picture
    for size in ("64", "keep"):
        with pytest.raises(Refusal) as caught:
            Reader(maker, size, labels=False)
        assert str(caught.value) == (
            "--size: this model's networks have layers for pictures of 32 x 32 pixels, and take no others; nearest: 32"
        )


def test_codes_are_the_same_for_all_pictures_and_differ_from_one_another(run, sweeps, tmp_path):
    sweep = sweeps("bicyclegan")
    for name in "xy":
        picture(tmp_path / "in" / f"{name}.png")
    for out, more in (("one", ()), ("two", ("--batch", 2)), ("other", ("--seed", 1))):
        code, said, _ = run("translate", sweep, tmp_path / "in", tmp_path / out, "--codes", 3, "--strip", *more)
        assert code == 0
        assert said == f"translated 2 pictures to {tmp_path}/{out} at 32 x 32 pixels, 3 outputs each\n"
    assert names(tmp_path / "one") == [f"{x}-{end}.png" for x in "xy" for end in ("0", "1", "2", "strip")]
    made = {name: pixels_of(tmp_path / "one" / name).astype(int) for name in names(tmp_path / "one")}
    assert np.array_equal(made["x-1.png"], made["y-1.png"]), "the same picture, the same code"
    assert not np.array_equal(made["x-0.png"], made["x-1.png"])
    assert not np.array_equal(made["x-0.png"], pixels_of(tmp_path / "other" / "x-0.png")), "another seed"
    assert made["x-strip.png"].shape == (SIDE, 4 * SIDE + 3 * 4, 3)
    assert np.array_equal(made["x-strip.png"][:, -SIDE:], made["x-2.png"])
    assert np.abs(pixels_of(tmp_path / "two" / "y-2.png") - made["y-2.png"]).max() <= 1
    run("translate", sweep, tmp_path / "in", tmp_path / "walk", "--interpolate", 4)
    for end, code in (("0", "0"), ("3", "1")):
        assert np.abs(pixels_of(tmp_path / "walk" / f"x-{end}.png") - made[f"x-{code}.png"]).max() <= 1


def test_a_class_is_asked_for_by_its_name_and_all_of_them_without(run, sweeps, tmp_path):
    sweep = sweeps("stargan")
    picture(tmp_path / "in" / "x.png")
    assert run("translate", sweep, tmp_path / "in", tmp_path / "all")[0] == 0
    assert names(tmp_path / "all") == ["x-cat.png", "x-dog.png", "x-owl.png"]
    run("translate", sweep, tmp_path / "in", tmp_path / "dog", "--to", "dog")
    assert np.array_equal(pixels_of(tmp_path / "dog" / "x.png"), pixels_of(tmp_path / "all" / "x-dog.png"))
    err = refused(run("translate", sweep, tmp_path / "in", tmp_path / "no", "--to", "dgo"))
    assert err == "error: --to: this model knows no 'dgo'; nearest: dog; has: cat, dog, owl\n"


def test_attributes_are_switched_on_and_off(run, sweeps, tmp_path):
    sweep = sweeps("stargan", ("hat", "old"), labels="attributes")
    picture(tmp_path / "in" / "x.png")
    for out, to in (("on", "hat,old"), ("off", "-hat,-old")):
        assert run("translate", sweep, tmp_path / "in", tmp_path / out, f"--to={to}")[0] == 0
    assert not np.array_equal(pixels_of(tmp_path / "on" / "x.png"), pixels_of(tmp_path / "off" / "x.png"))
    err = refused(run("translate", sweep, tmp_path / "in", tmp_path / "no", "--to", "hat,-odl"))
    assert err == "error: --to: this model knows no 'odl'; nearest: old; has: hat, old\n"


def test_dropout_is_drawn_for_each_picture_alone(run, sweeps, tmp_path):
    for name in "xy":
        picture(tmp_path / "in" / f"{name}.png", seed=ord(name))
    sweep = sweeps("pix2pix")
    run("translate", sweep, tmp_path / "in", tmp_path / "one")
    code, _, err = run("translate", sweep, tmp_path / "in", tmp_path / "two", "--batch", 2)
    assert (code, err) == (
        0, "pictures go through one by one, not 2 at a time: dropout is drawn for each of them alone\n"
    )  # fmt: skip
    for name in names(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_another_trial_and_another_checkpoint_are_named(run, sweeps, tmp_path):
    picture(tmp_path / "in" / "x.png")
    sweep, given = sweeps("cyclegan"), (tmp_path / "in", tmp_path / "out")
    best = run("translate", sweep, *given), pixels_of(tmp_path / "out" / "x.png")
    assert run("translate", sweep, *given, "--trial", 0, "--checkpoint", 10)[0] == best[0][0] == 0
    assert np.array_equal(best[1], pixels_of(tmp_path / "out" / "x.png"))
    for more, line in (
        (("--trial", 3), "--trial: sweep made has no trial 3; has: 0"),
        (("--checkpoint", 5), "--checkpoint: a checkpoint is one of a trial: name that with --trial"),
        (("--trial", 0, "--checkpoint", 5), "--checkpoint: trial 0 has no checkpoint of step 5; has: 10"),
    ):
        assert refused(run("translate", sweep, *given, *more)) == f"error: {line}\n"


def test_what_cannot_be_done_is_told_in_a_line(run, sweeps, tmp_path):
    picture(tmp_path / "in" / "x.png")
    (tmp_path / "empty").mkdir()
    at, plain = tmp_path, sweeps("cyclegan")
    for sweep, source, target, more, line in (
        (plain, at / "in", at / "out", ("--codes", 2), "--codes: cyclegan has one output for a picture under these settings: "
         "there is no code to draw"),
        (sweeps("bicyclegan"), at / "in", at / "out", ("--codes", 2, "--interpolate", 3),
         "--interpolate: goes between two codes, and is not asked for beside --codes"),
        (plain, at / "in", at / "out", ("--interpolate", 1), "--interpolate: must be 2 or more"),
        (plain, at / "in", at / "in", (), "OUT_DIR: the pictures would replace their own sources; give another folder"),
        (plain, at / "in" / "x.png", at / "in", (),
         "OUT_DIR: the pictures would replace their own sources; give another folder"),
        (plain, at / "in", at / "x.png", (), f"OUT_DIR: {at}/x.png is named like a picture, and a folder is needed"),
        (plain, at / "none", at / "out", (), f"IN: {at}/none is neither a folder nor a picture"),
        (plain, at / "*.gif", at / "out", (), f"IN: {at}/*.gif matches no pictures"),
        (plain, at / "empty", at / "out", (), f"IN: {at}/empty holds no pictures; has: .png, .jpg, .jpeg, .webp, .bmp"),
        (sweeps("dcgan"), at / "in", at / "out", (), "SWEEP: dcgan makes no pictures out of others, so there is nothing to "
         "translate with; `i2i-cluster draw` makes pictures with it"),
        (plain, at / "in", at / "out", ("--to", "c"), "--to: this model does not translate to 'c'; has: b, a"),
    ):  # fmt: skip
        assert refused(run("translate", sweep, source, target, *more)) == f"error: {line}\n"


def test_no_half_picture_is_left_where_the_disk_fails(run, sweeps, tmp_path, monkeypatch):
    picture(tmp_path / "in" / "x.png")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = run("translate", sweeps("cyclegan"), tmp_path / "in", tmp_path / "out")
    assert (code, err) == (1, f"error: {tmp_path}/out/x.png cannot be written: no space left on device\n")
    assert not list((tmp_path / "out").iterdir())


def test_what_looks_like_a_picture_and_is_passed_over_is_told(run, sweeps, tmp_path):
    picture(tmp_path / "in" / "x.bmp")
    picture(tmp_path / "in" / "y.tif")
    (tmp_path / "in" / "lost.png").symlink_to("nowhere")
    code, out, err = run("translate", sweeps("cyclegan"), tmp_path / "in", tmp_path / "out")
    assert (code, out) == (0, f"translated 1 picture to {tmp_path}/out at 32 x 32 pixels\n")
    passed = "1 picture of a kind that is not read (.tif), 1 name with no file behind it"
    assert err == f"note: passed over in {tmp_path}/in: {passed}\n"
    code, _, err = run("translate", sweeps("cyclegan"), f"{tmp_path}/in/*", tmp_path / "out")
    assert (code, err) == (0, f"note: passed over in {tmp_path}/in/*: {passed}\n")


def test_many_pictures_are_not_compared_with_one_another(tmp_path, monkeypatch):
    compared, same = 0, PurePath.__eq__

    def counted(one, other):
        nonlocal compared
        compared += 1
        return same(one, other)

    (tmp_path / "in").mkdir()
    for number in range(200):
        (tmp_path / "in" / f"{number}.png").touch()
    monkeypatch.setattr(PurePath, "__eq__", counted)
    assert len(find_pictures(str(tmp_path / "in"), tmp_path / "out")) == 200
    assert compared < 10 * 200, "200 x 200 with each other"
