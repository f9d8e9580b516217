"""CoGAN's networks (Liu, Tuzel 2016): two of DCGAN's generators, or critics, of which some layers are the same.

Generators have the layers next to the noise in common, critics those next to the verdict: what decides on a picture's meaning.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainers.networks.blocks import Norm, halvings_to, initialise
from trainers.networks.dcgan import BASE, generator_stages, halving_stages, joined, last_of_critic

Channels = tuple[int, int]  # of a, of b


def layers_of(image: int) -> int:
    """How many layers a generator has, and a critic, for pictures of this side."""
    return halvings_to(BASE, image) + 1


class TiedGenerators(nn.Module):
    """Latent vectors to pairs of images in [-1, 1]; the first `tied` layers are common to both."""

    def __init__(
        self, latent: int, channels: Channels, image: int, width: int, upsample: str, norm: Norm, tied: int
    ) -> None:
        super().__init__()
        a, b = (generator_stages(latent, c, image, width, upsample, norm) for c in channels)
        self.tied, self.a, self.b = joined(a[:tied]), joined(a[tied:]), joined(b[tied:])
        initialise(self)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """`z: [N,latent]` -> pictures of a and of b, `[N,C,image,image]` each."""
        common = self.tied(z[:, :, None, None])
        return self.a(common), self.b(common)


class TiedCritics(nn.Module):
    """Images of a and of b to one logit each, HIGH = real; the last `tied` layers are common to both."""

    def __init__(self, channels: Channels, image: int, width: int, downsample: str, norm: Norm, tied: int) -> None:
        super().__init__()
        own = layers_of(image) - tied
        a, b = ([*halving_stages(c, image, width, downsample, norm), [last_of_critic(image, width)]] for c in channels)
        self.a, self.b, self.tied = joined(a[:own]), joined(b[:own]), joined(a[own:])
        initialise(self)

    def judge_a(self, x: Tensor) -> Tensor:
        """`x: [N,C,image,image]`, of domain a -> logits `[N,1,1,1]`."""
        out: Tensor = self.tied(self.a(x))
        return out

    def judge_b(self, x: Tensor) -> Tensor:
        """`x: [N,C,image,image]`, of domain b -> logits `[N,1,1,1]`."""
        out: Tensor = self.tied(self.b(x))
        return out

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures of a and of b -> the logits of each."""
        return self.judge_a(a), self.judge_b(b)
