"""A model at work where it is a system of the user's own: what its author's `show` gives is what a user gets."""

import numpy as np
import torch

from cluster.model import Model
from cluster.model_export import export
from cluster.model_use import Maker
from tests.trainers import worlds

OWN = {"run": {"system": "mine.py:Mine"}}


def pictures(count):
    return np.random.default_rng(2).integers(0, 256, (count, worlds.IMAGE, worlds.IMAGE, 3), np.uint8)


def test_one_s_own_system_is_used_by_what_it_shows():
    model = Model(worlds.build("cyclegan"), worlds.SHAPES, OWN)
    maker, given = Maker(model, "b"), pictures(2)
    assert maker.one_by_one and not maker.drops
    assert np.array_equal(maker.translate(given)[1], model.translate(given[1], "b"))
    assert (maker.multiple, maker.scale) == (4, 1), "asked of `show` itself"


def test_a_file_is_compared_with_what_is_shown_and_not_with_itself():
    system = worlds.build("cyclegan")
    shown = system.show
    system.show = lambda images: {name: -made for name, made in shown(images).items()}  # type: ignore[method-assign]
    made = export(Maker(Model(system, worlds.SHAPES, OWN), "b"), "safetensors", {})
    assert made.worst > 0.01, "its translators are not what it shows"
    same = export(Maker(Model(worlds.build("cyclegan"), worlds.SHAPES, OWN), "b"), "safetensors", {})
    assert same.worst < 1e-5


def test_a_code_and_a_seed_are_all_that_a_drawn_code_depends_on():
    maker = Maker(Model(worlds.build("bicyclegan"), worlds.SHAPES, {}), "b")
    few, many = maker.codes(3, 2), maker.codes(3, 7)
    assert np.array_equal(few, many[:2]) and not np.array_equal(few, maker.codes(4, 2))
    torch.manual_seed(0)
    assert np.array_equal(maker.codes(3, 2), few)
