"""The published learning rates, as functions of the step."""

import pytest

from trainers.schedule import constant_then_linear


def test_a_hundred_and_a_hundred_epochs():
    factor = constant_then_linear(200, 0.5)
    published = [1.0 - max(0, epoch - 100) / (100 + 1) for epoch in range(200)]
    assert [factor(epoch) for epoch in range(200)] == pytest.approx(published)
    assert factor(99) == factor(100) == 1.0
    assert 0.0 < factor(199) < 0.02, "the last step still moves"


@pytest.mark.parametrize("steps", [1, 7, 200])
def test_the_ends_of_decay_from(steps):
    assert {constant_then_linear(steps, 1.0)(t) for t in range(steps)} == {1.0}
    falling = [constant_then_linear(steps, 0.0)(t) for t in range(steps)]
    assert falling == pytest.approx([1.0 - t / (steps + 1) for t in range(steps)])
