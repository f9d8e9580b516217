"""What a step weighs, counted without taking it."""

import dataclasses
from itertools import accumulate
from types import SimpleNamespace

import psutil
import pytest
import torch
from torch.autograd.profiler import profile

from cluster import weigh as weighing
from cluster.building import build_system
from cluster.weigh import FLOAT, KEPT, weigh
from tests.trainers import worlds
from tests.trainers.worlds import IMAGE, METHODS, SHAPES, TINY, VARIANTS
from trainers.settings import Balance
from trainers.systems.catalog import SYSTEMS
from trainers.tree import Tree

MIB = 2**20


def run_of(variant, batch=8, recompute=False, **changes):
    """A run of a variant, as far as it is weighed, and its shapes."""
    name, hyper, options = VARIANTS[variant]
    kind, (system, _, stage) = METHODS[name], name.partition(":")
    made = kind.Hyper(**{**TINY[name], **hyper, **changes})
    shapes = {domain: SHAPES.get(domain, (3, IMAGE, IMAGE)) for domain in kind.reading(made).domains}
    run = SimpleNamespace(
        system=system,
        stage=stage,
        code="",
        hyper=dataclasses.asdict(made),
        weights={term.name: 1.0 for term in kind.terms},
        seed=0,
        steps=10,
        layout=options.get("layout", "contiguous"),
        recompute=recompute,
        balance=dataclasses.asdict(Balance()),
        data=SimpleNamespace(batch=batch, replicas=1),
    )
    return run, shapes


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_system_can_be_weighed(variant):
    run, shapes = run_of(variant)
    found = weigh(run, shapes)
    assert found is not None
    assert found.parameters == sum(p.numel() for p in build_system(run, shapes).parameters())
    assert found.flops > found.parameters, "each weight of a convolution is used many times"
    assert found.memory > FLOAT * (KEPT + 1) * found.parameters


def test_twice_the_batch_is_twice_the_work_and_the_memory_of_its_pictures():
    one, two = (weigh(*run_of("pix2pix", batch)) for batch in (8, 16))
    assert one is not None and two is not None
    assert two.flops == 2 * one.flops
    pictures = [found.memory - FLOAT * (KEPT + 1) * found.parameters for found in (one, two)]
    assert 1.8 < pictures[1] / pictures[0] < 2.1


def test_the_operations_are_those_of_a_convolution():
    with weighing._Watch() as watch:
        made = torch.nn.functional.conv2d(torch.zeros(1, 2, 8, 8), torch.zeros(4, 2, 3, 3), padding=1)
        made = torch.relu(made)
        del made
    assert watch.flops == 2 * 4 * 2 * 9 * 8 * 8
    assert (watch.most, watch.alive) == (FLOAT * 2 * (4 * 8 * 8), 0), "what goes into relu and what comes out of it"


def test_absurd_widths_take_no_memory():
    run, shapes = run_of("cyclegan", width=4096, critic_width=4096, critic="patch70")
    weigh(*run_of("cyclegan"))  # what the first time loads
    before = psutil.Process().memory_info().rss
    found = weigh(run, shapes)
    assert found is not None
    assert found.memory > 5 * 10**11
    assert psutil.Process().memory_info().rss - before < 200 * MIB


def test_what_is_computed_again_is_not_kept_and_takes_its_forward_pass_twice():
    kept, again = (weigh(*run_of("cyclegan", recompute=recompute)) for recompute in (False, True))
    assert kept is not None and again is not None
    assert kept.parameters == again.parameters
    assert FLOAT * (KEPT + 1) * kept.parameters < again.memory < kept.memory
    assert 1.3 < again.flops / kept.flops < 1.4, "a third of a step is forward"


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", ["cyclegan", "distancegan", "bicyclegan", "unit"])
def test_no_step_takes_more_than_it_weighs_nor_much_less(name, recompute):
    changes: dict[str, int] = {key: 16 for key in ("width", "critic_width", "encoder_width") if key in TINY[name]}
    weighed = weigh(*run_of(name, worlds.BATCH, recompute, **changes))
    with profile(profile_memory=True) as seen:
        of = worlds.engine(name, tree=Tree(1), hyper=changes, recomputed=recompute)
        for _ in range(2):
            of.step()
    changed = sorted((e.start_ns(), e.nbytes()) for e in seen.kineto_results.events() if e.name() == "[memory]")
    assert weighed is not None
    assert 0.6 < max(accumulate(size for _, size in changed)) / weighed.memory < 1


def test_what_looks_at_content_cannot_be_weighed(monkeypatch):
    def step(self, t, replica):
        images = replica.draw("a")
        if images.sum().item() > 0:
            yield None

    monkeypatch.setattr(SYSTEMS["cyclegan"], "step", step)
    assert weigh(*run_of("cyclegan")) is None
