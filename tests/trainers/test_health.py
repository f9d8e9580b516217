"""Signs of health: by hand on flat pictures, of networks that died, and the same to the bit on any number of workers."""

import numpy as np
import pytest
import torch

from tests.trainers.judging import Flat
from tests.trainers.processes import Processes
from tests.trainers.worlds import BATCH, IMAGE, engine
from trainers import health_judge
from trainers.evaluation import evaluate
from trainers.health import PREFIX, SIGNS, signs_of
from trainers.health_judge import pooled, spread
from trainers.samples import CHUNK
from trainers.score_list import SCORES
from trainers.scores import scores_of
from trainers.systems.catalog import SYSTEMS
from trainers.tree import Tree

COUNT = 2 * CHUNK + 3  # three chunks: of four workers one has none
LEVELS = {"a": [10 * i for i in range(COUNT)], "b": [40 + 10 * i for i in range(COUNT)]}


def signs(of, samples, show=None):
    """The health of an evaluation, by the last part of the name, with `show` in the system's place."""
    if show:
        of.system.show = show
    found = evaluate(of, samples)[0]
    return {name.removeprefix(PREFIX): value for name, value in found.items() if name.startswith(PREFIX)}


def test_outputs_like_the_real_pictures_are_as_far_apart():
    of = engine("pix2pix")
    found = signs(of, Flat(LEVELS, truth=True), lambda images: {"fake_b": images["b"]})
    assert found == {"spread_b": 1.0, "change_b": pytest.approx(40 / 255)}
    assert signs(of, Flat(LEVELS), lambda images: {}) == {}, "what was not computed has no value"


def test_a_spread_is_a_ratio_of_standard_deviations():
    levels = {"a": [0, 10, 20], "b": [0, 100, 200]}
    found = signs(engine("pix2pix"), Flat(levels), lambda images: {"fake_b": images["a"]})
    assert found == {"spread_b": pytest.approx(0.1), "change_b": 0.0}
    unequal = {"a": [0, 50], "b": [0, 100, 0, 100, 0, 100]}
    found = signs(engine("cyclegan"), Flat(unequal), lambda images: {"fake_b": images["a"]} if "a" in images else {})
    assert found["spread_b"] == pytest.approx(np.std([0, 50], ddof=1) / np.std([0, 100] * 3, ddof=1))


def test_a_collapsed_generator_has_no_spread():
    of = engine("pix2pix")
    alive = signs(of, Noise())
    with torch.no_grad():
        for parameter in of.system.ab.parameters():
            parameter.zero_()
    dead = signs(of, Noise())
    assert alive["spread_b"] > 0.0
    assert dead["spread_b"] == 0.0
    assert dead["change_b"] == pytest.approx(0.25, abs=0.01), "grey, and noise is 1/4 away from it on average"


def test_noise_is_no_difference():
    noise = np.random.default_rng(0).choice([-1.0, 1.0], (COUNT, 3, IMAGE, IMAGE)).astype(np.float32)
    rows = pooled(torch.from_numpy(noise))
    assert rows.shape == (COUNT, 3 * 8 * 8)
    assert spread(rows) == pytest.approx(0.5 / 4, rel=0.05), (
        "a field of 4 x 4 pixels has a quarter of a pixel's deviation"
    )


def test_the_identity_changes_nothing():
    of = engine("cyclegan")
    same = {"fake_b": "a", "fake_a": "b"}
    found = signs(of, Flat(LEVELS), lambda images: {n: images[d] for n, d in same.items() if d in images})
    assert found == pytest.approx({"spread_b": 1.0, "spread_a": 1.0, "change_b": 0.0, "change_a": 0.0})
    found = signs(of, Flat(LEVELS), lambda images: {n: -images[d] for n, d in same.items() if d in images})
    assert found["change_a"] == pytest.approx(np.mean([abs(255 - 2 * level) for level in LEVELS["b"]]) / 255)


def test_pictures_from_noise_have_no_input_to_be_a_change_of():
    assert list(signs(engine("dcgan"), Flat({"b": LEVELS["b"]}))) == ["spread_b"]
    assert signs(engine("classifier"), Flat({"b": LEVELS["b"]})) == {}


def test_outputs_of_other_channels_are_no_change_of_their_inputs():
    class Grey(Flat):
        def image(self, domain, index):
            picture = super().image(domain, index)
            return picture[:, :, :1] if domain == "a" else picture

    of = engine("pix2pix")
    of.shapes = {**of.shapes, "a": (1, IMAGE, IMAGE)}
    found = signs(of, Grey(LEVELS), lambda images: {"fake_b": images["a"].expand(-1, 3, -1, -1)})
    assert found == {"spread_b": pytest.approx(1.0)}


def test_real_pictures_that_are_alike_are_no_measure():
    same = {"a": LEVELS["a"], "b": [7] * COUNT}
    assert list(signs(engine("pix2pix"), Flat(same), lambda images: {"fake_b": images["a"]})) == ["change_b"]
    one = {"a": [3], "b": [3]}
    assert signs(engine("pix2pix"), Flat(one), lambda images: {"fake_b": images["a"]}) == {"change_b": 0.0}


def test_what_is_not_finite_stays_so():
    found = signs(engine("pix2pix"), Flat(LEVELS), lambda images: {"fake_b": images["a"] * float("nan")})
    assert all(np.isnan(value) for value in found.values())
    assert len(found) == 2


@pytest.mark.parametrize("most", [CHUNK, CHUNK + 3])
def test_a_spread_is_of_the_first_pictures_where_there_are_many(monkeypatch, most):
    monkeypatch.setattr(health_judge, "MOST", most)
    levels = {"a": [*LEVELS["a"][:most], *[0] * (COUNT - most)], "b": LEVELS["b"]}
    found = signs(engine("pix2pix"), Flat(levels), lambda images: {"fake_b": images["a"]})
    assert found["spread_b"] == pytest.approx(1.0)
    assert found["change_b"] == pytest.approx(0.0)


def test_a_sign_is_no_score():
    assert not SIGNS.keys() & SCORES.keys()
    for system in SYSTEMS.values():
        assert not any(metric.startswith(PREFIX) for metric in scores_of(system, system.reads))


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("cyclegan", ["spread_b", "spread_a", "change_b", "change_a"]),
        ("pix2pix", ["spread_b", "change_b"]),
        ("dcgan", ["spread_b"]),
        ("classifier", []),
    ],
)
def test_the_signs_of_a_system_are_known_before_it_is_built(name, has):
    kind = SYSTEMS[name]
    assert [sign.metric for sign in signs_of(kind.shows, kind.reads.domains)] == [f"{PREFIX}{sign}" for sign in has]
    assert all(metric == sign.metric for metric, sign in SIGNS.items())


class Noise(Flat):
    """Pictures of noise, no two alike."""

    def __init__(self):
        super().__init__({}, count=COUNT)

    def image(self, domain, index):
        return np.random.default_rng([ord(domain), index]).integers(0, 256, (IMAGE, IMAGE, 3), np.uint8)


NAMES = ("cyclegan", "bicyclegan", "dcgan")


def job(pipe, rank, workers, replicas):
    for name in NAMES:
        pipe.send(signs(engine(name, tree=Tree(replicas, rank, workers)), Noise()))


def test_any_number_of_workers_finds_the_same_to_the_bit():
    found: dict[str, list[dict[str, str]]] = {}
    for workers in (1, 2, 4):
        with Processes(job, workers, BATCH) as processes:
            for name in NAMES:
                every = [{sign: value.hex() for sign, value in told.items()} for told in processes.answers()]
                assert all(told == every[0] for told in every)
                found.setdefault(name, []).append(every[0])
    assert all(one == two == four for one, two, four in found.values())
    assert {name: len(told[0]) for name, told in found.items()} == {"cyclegan": 4, "bicyclegan": 2, "dcgan": 1}
