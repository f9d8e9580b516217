"""The patch critics between those of pix2pix."""

import pytest
import torch

from trainers.errors import SettingError
from trainers.networks import patch
from trainers.networks.blocks import no_norm


def test_critics_are_in_order_of_size():
    layers = list(patch.STRIDED_LAYERS.values())
    assert layers == sorted(set(layers))


@pytest.mark.parametrize("name", ["patch34", "patch142"])
def test_receptive_fields_are_what_the_names_say(name):
    image = torch.randn(1, 1, 256, 256, requires_grad=True)
    logits = patch.build_critic(name, 1, 2, no_norm)(image)
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], image)
    rows, columns = gradient[0, 0].nonzero().unbind(1)
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == int(name.removeprefix("patch"))


def test_too_large_a_critic_is_refused_with_the_largest_that_fits():
    with pytest.raises(SettingError) as caught:
        patch.check("patch286", 64)
    assert str(caught.value) == (
        "hyper.critic: patch286 needs an image of at least 96 pixels, not 64; nearest: patch142"
    )
