"""Scores that can be trusted: exact means over fixed samples, perfect where the translation is, and without side effects."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainers.judging import PAIRS
from tests.trainers.worlds import IMAGE, engine, state_digest
from trainers.evaluation import evaluate, to_pixels
from trainers.grid import draw_grid
from trainers.samples import CHUNK

COUNT = CHUNK + 3  # the last chunk is not a whole one


class Samples:
    """Random pictures; with truth, b is a shifted a."""

    def __init__(self, truth, **counts):
        self.truth, self.counts = truth, {"a": COUNT, "b": COUNT} | counts

    def count(self, domain):
        return self.counts[domain]

    def image(self, domain, index):
        seed = index if self.truth else index + 1000 * ord(domain)
        picture = np.random.default_rng(seed).integers(0, 200, (IMAGE, IMAGE, 3), np.uint8)
        return picture + np.uint8(40 if domain == "b" else 0)

    def label(self, domain, index):
        return -1

    def truths(self, index):
        return [index]


def scored(of, samples, show=None):
    """The scores of single pictures, with `show` in the system's place; not their number, nor the signs of health."""
    if show:
        of.system.show = show
    scores = {metric: score for metric, score in evaluate(of, samples)[0].items() if metric.startswith("eval/")}
    assert scores.pop("eval/samples") == max(samples.count(domain) for domain in of.system.reads.domains)
    return {metric: score for metric, score in scores.items() if metric not in PAIRS}


def test_a_perfect_translator():
    scores = scored(engine("pix2pix"), Samples(truth=True), lambda images: {"fake_b": images["b"]})
    assert scores == pytest.approx(
        {"eval/l1": 0.0, "eval/psnr": 100.0, "eval/ssim": 1.0, "eval/nearest_truth": 0.0}, abs=1e-4
    )


def test_scores_are_the_means_over_all_samples():
    samples = Samples(truth=True)
    scores = scored(engine("pix2pix"), samples, lambda images: {"fake_b": -images["a"]})
    a, b = (np.stack([samples.image(d, i) for i in range(COUNT)]).astype(np.float64) for d in "ab")
    errors = (255.0 - a - b) / 255.0
    assert scores["eval/l1"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    each = -10 * np.log10((errors**2).mean((1, 2, 3)))
    assert scores["eval/psnr"] == pytest.approx(each.mean(), rel=1e-5), "a mean of decibels, not decibels of a mean"
    assert -1 <= scores["eval/ssim"] < 0.9
    assert scores["eval/nearest_truth"] == scores["eval/l1"], "with one truth and one draw they are the same"


def test_ssim_by_hand_on_flat_pictures():
    # Without variance only the means speak: (2 xy + c) / (x^2 + y^2 + c).
    x, y, c = 51 / 255, 204 / 255, 0.01**2

    class Flat(Samples):
        def image(self, domain, index):
            return np.full((IMAGE, IMAGE, 3), 51 if domain == "a" else 204, np.uint8)

    scores = scored(engine("pix2pix"), Flat(truth=True), lambda images: {"fake_b": images["a"]})
    assert scores["eval/ssim"] == pytest.approx((2 * x * y + c) / (x * x + y * y + c), abs=1e-4)


def test_scores_against_the_truth_need_it():
    assert set(scored(engine("cyclegan"), Samples(truth=False))) == {"eval/cycle", "eval/identity"}
    both_ways = {f"eval/{name}{way}" for name in ("l1", "psnr", "ssim") for way in ("", "_ba")}
    assert set(scored(engine("cyclegan"), Samples(truth=True))) == both_ways | {
        "eval/cycle",
        "eval/identity",
        "eval/nearest_truth",
    }
    assert not scored(engine("pix2pix"), Samples(truth=False))


def test_each_score_compares_what_it_says():
    samples = Samples(truth=True)
    off = {"fake_b": "b", "fake_a": "a", "cycle_a": "a", "idt_b": "b"}
    for wrong, scores in {
        "fake_b": {"eval/l1", "eval/psnr", "eval/ssim", "eval/nearest_truth"},
        "fake_a": {"eval/l1_ba", "eval/psnr_ba", "eval/ssim_ba"},
        "cycle_a": {"eval/cycle"},
        "idt_b": {"eval/identity"},
    }.items():

        def show(images, wrong=wrong):
            return {name: -images[d] if name == wrong else images[d] for name, d in off.items()}

        found = scored(engine("cyclegan"), samples, show)
        perfect = {"eval/psnr": 100, "eval/psnr_ba": 100, "eval/ssim": 1, "eval/ssim_ba": 1}
        assert {m for m, v in found.items() if v != pytest.approx(perfect.get(m, 0), abs=1e-3)} == scores


def test_unequal_domains_are_averaged_over_their_own_samples():
    samples = Samples(truth=False, a=COUNT, b=2)
    shown = {"cycle_a": "a", "idt_b": "b"}
    scores = scored(
        engine("cyclegan"), samples, lambda images: {n: -images[d] for n, d in shown.items() if d in images}
    )
    for metric, domain in (("eval/cycle", "a"), ("eval/identity", "b")):
        pixels = np.stack([samples.image(domain, i) for i in range(samples.count(domain))]).astype(np.float64)
        assert scores[metric] == pytest.approx(np.abs(255 - 2 * pixels).mean() / 255, rel=1e-5)


def test_what_was_not_computed_has_no_score():
    of = engine("cyclegan", hyper={"identity": False})
    scores = scored(of, Samples(truth=False))
    assert scores.get("eval/identity") != 0.0, "0 would be a perfect score"


@pytest.mark.parametrize(("name", "ema"), [("cyclegan", 0.9), ("cyclegan", 0.0), ("pix2pix", 0.0)])
def test_evaluating_leaves_no_trace(name, ema):
    watched, undisturbed = (engine(name, hyper={"ema": ema}, ema=ema) for _ in range(2))
    found = []
    for _ in range(2):
        watched.step()
        undisturbed.step()
        found += [scored(watched, Samples(truth=True)) for _ in range(2)]
        assert state_digest(watched) == state_digest(undisturbed)
    assert found[0] == found[1], "the same weights have the same scores"
    assert found[1] != found[2]


def test_the_average_is_what_is_judged():
    of = engine("cyclegan", hyper={"ema": 0.9}, ema=0.9)
    of.step()
    before = scored(of, Samples(truth=True))
    with torch.no_grad():
        for parameter in (*of.system.ab.parameters(), *of.system.ba.parameters()):
            parameter.zero_()
    assert scored(of, Samples(truth=True)) == before
    of.ema = {}
    assert scored(of, Samples(truth=True)) != before


def test_pixels_survive_the_way_there_and_back():
    levels = torch.arange(256).reshape(1, 1, 16, 16).float() / 127.5 - 1
    assert to_pixels(levels).reshape(-1).tolist() == list(range(256))
    assert to_pixels(torch.tensor([-3.0, 3.0]).reshape(1, 1, 1, 2)).reshape(-1).tolist() == [0, 255]


def test_an_attribution_is_never_cut():
    tile = np.zeros((1, 8, 8, 3), np.uint8)
    footer = "All emojis designed by OpenMoji - the open-source emoji and icon project. License: CC BY-SA 4.0"
    short, long = (Image.open(io.BytesIO(draw_grid({"a": tile}, "title", text))) for text in ("", footer))
    assert short.width < 120 < 400 < long.width
    assert long.height > short.height
