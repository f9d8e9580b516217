"""How long a step takes: tried where that is quick, counted where it is not."""

from dataclasses import replace

import pytest
import torch

from cluster import estimate
from cluster.estimate import measure, measure_on_gpu, weighed
from tests.cluster.test_weigh import run_of


@pytest.fixture
def sized(planned):
    """A run that can be trained, and its shapes, with these settings of pix2pix."""

    def make(**hyper):
        settings = {"width": 4, "critic_width": 4, **hyper}
        text = ", ".join(f"{name}: {value}" for name, value in settings.items())
        plan = planned(f"system: pix2pix\nhyper: {{{text}}}")
        return plan.run(0, plan.params(0)), plan.data.shapes(64)

    return make


def test_a_small_step_is_tried(sized):
    run, shapes = sized()
    found = measure(run, shapes)
    assert found.seconds_per_step is not None and 0 < found.seconds_per_step < estimate.LONGEST_S
    assert found.parameters == weighed(run, shapes).parameters
    assert found.state_bytes > 3 * 4 * found.parameters * 0.9, "weights and two moments of Adam"
    assert found.basis == "a thread of this machine's processor"
    assert torch.are_deterministic_algorithms_enabled() is False, "nothing of it stays"


def test_nothing_is_compiled_for_an_estimate(sized, monkeypatch):
    monkeypatch.setattr("trainers.engine.compile_networks", None)  # to call it would raise
    run, shapes = sized()
    assert measure(replace(run, compile=True), shapes).basis.endswith(" of this machine's processor, not compiled")


def test_a_wide_one_is_counted_and_never_built(sized, monkeypatch):
    monkeypatch.setattr(estimate, "_tried", None)  # to call it would raise
    run, shapes = sized(critic_width=4096)
    found = measure(run, shapes, free=10**12)
    assert found.parameters > 10**9
    assert found.seconds_per_step is not None and found.seconds_per_step > estimate.LONGEST_S
    assert found.state_bytes == 12 * found.parameters
    assert found.basis.startswith("counted, not tried: a step has ")
    assert found.basis.endswith(" TFLOP, at the rate of a convolution on one worker here")


def test_one_that_memory_cannot_hold_is_counted(sized, monkeypatch):
    monkeypatch.setattr(estimate, "_tried", None)
    run, shapes = sized()
    assert measure(run, shapes, free=1000).basis.startswith("counted, not tried: ")


def test_one_slow_step_is_enough(sized, monkeypatch):
    monkeypatch.setattr(estimate, "_rate", lambda: 1e18)
    steps = []

    def timed(engine):
        steps.append(engine)
        return 60.0

    monkeypatch.setattr(estimate, "_timed", timed)
    assert measure(*sized()).seconds_per_step == 60.0
    assert len(steps) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_nobody_knows_the_seconds_of_one(sized):
    run, shapes = sized()
    found = measure_on_gpu(run, shapes)
    assert found.seconds_per_step is None
    assert found == weighed(run, shapes)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_that_is_here_is_timed(sized):
    found = measure_on_gpu(*sized())
    assert found.seconds_per_step is not None and found.seconds_per_step > 0
    assert found.basis == f"this machine's {torch.cuda.get_device_name()}"


def test_what_cannot_be_weighed_has_no_estimate_without_trying(monkeypatch):
    monkeypatch.setattr(estimate, "weigh", lambda run, shapes: None)
    with pytest.raises(RuntimeError, match="its system cannot be weighed"):
        weighed(*run_of("pix2pix"))
