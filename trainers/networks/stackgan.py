"""StackGAN's networks (Zhang et al., ICCV 2017): words to a condition, a condition to a small picture, that to a large one.

The condition enters a map as constants, the same at each pixel. A norm over the pixels of one picture would take constants away,
so behind the layer where they enter there is batch norm or none.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.blocks import (
    Norm,
    batch_norm,
    halvings_to,
    initialise,
    initialise_xavier,
    no_norm,
    widths_for,
)
from trainers.networks.dcgan import (
    BASE,
    UPSAMPLES,
    DCGANGenerator,
    halving_stages,
    joined,
    last_of_critic,
    strided,
)
from trainers.networks.noise import normal

FACTOR = 4  # stage II halves the small picture twice


class Text(nn.Module):
    """Words to a vector: the sum of their embeddings over the root of their number, as loud for one word as for ten."""

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary + 1, width, padding_idx=0)  # drawn from N(0, I); no word is zeros

    def forward(self, codes: Tensor) -> Tensor:
        """`codes: int64 [N,words]`, 0 for none -> `[N,width]`."""
        count = (codes > 0).sum(1, keepdim=True).clamp(min=1)
        summed: Tensor = self.embed(codes).sum(1)
        return summed / count.sqrt()


class Reader(nn.Module):
    """A critic's own way from words to what it judges by."""

    def __init__(self, text: Text, width: int, condition: int) -> None:
        super().__init__()
        self.text, self.layer = text, nn.Linear(width, condition)
        initialise_xavier(self.layer, gain=1.0)

    def forward(self, codes: Tensor) -> Tensor:
        """`codes: int64 [N,words]` -> `[N,condition]`."""
        told: Tensor = self.layer(self.text(codes))
        return told


class Augmentation(nn.Module):
    """Conditioning augmentation: a text's vector to the mean and the logarithm of the deviation of its condition."""

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, 2 * condition)
        initialise_xavier(self, gain=1.0)

    def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """`text: [N,width]` -> mu and log sigma, `[N,condition]` each."""
        mu, log_sigma = self.layer(text).chunk(2, 1)
        return mu, log_sigma


def drawn(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """A condition from N(mu, sigma): `[N,condition]`."""
    return mu + log_sigma.exp() * normal(*mu.shape).to(mu)


def divergence(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """KL(N(mu, sigma) || N(0, 1)), the mean over samples and over what a condition consists of: a scalar."""
    mu, log_sigma = mu.float(), log_sigma.float()
    return 0.5 * (mu.square() + (2.0 * log_sigma).exp() - 1.0 - 2.0 * log_sigma).mean()


class First(nn.Module):
    """Stage I: words and noise to a small picture, by DCGAN's generator."""

    def __init__(self, text: Text, augmentation: Augmentation, generator: DCGANGenerator) -> None:
        super().__init__()
        self.text, self.augmentation, self.generator = text, augmentation, generator

    def forward(self, z: Tensor, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`z: [N,latent]`, `codes: int64 [N,words]` -> the picture, `[N,C,H,W]` in [-1, 1], mu and log sigma."""
        mu, log_sigma = self.augmentation(self.text(codes))
        return self.generator(torch.cat([z, drawn(mu, log_sigma)], 1)), mu, log_sigma


class Block(nn.Module):
    """A residual block with a ReLU behind the sum."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, channels, 3, 1, 1), norm(channels), nn.ReLU()),
            *(nn.Conv2d(channels, channels, 3, 1, 1), norm(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[N,channels,H,W]` -> the same shape."""
        return F.relu(x + self.layers(x))


class Second(nn.Module):
    """Stage II: a small picture and a text's vector to a large picture. It draws no noise but the condition's."""

    def __init__(
        self,
        augmentation: Augmentation,
        condition: int,
        channels: int,
        small: int,
        image: int,
        width: int,
        blocks: int,
        upsample: str,
        norm: Norm,
    ) -> None:
        super().__init__()
        c = FACTOR * width
        self.encode = nn.Sequential(
            *(nn.Conv2d(channels, width, 3, 1, 1), nn.ReLU()),
            *(strided(width, 2 * width), norm(2 * width), nn.ReLU()),
            *(strided(2 * width, c), norm(c), nn.ReLU()),
        )
        self.join = nn.Sequential(nn.Conv2d(c + condition, c, 3, 1, 1), behind_constants(norm)(c), nn.ReLU())
        layers: list[nn.Module] = [Block(c, norm) for _ in range(blocks)]
        for _ in range(halvings_to(small // FACTOR, image)):
            out = max(1, c // 2)
            layers += [UPSAMPLES[upsample](c, out), norm(out), nn.ReLU()]
            c = out
        self.decode = nn.Sequential(*layers, nn.Conv2d(c, channels, 3, 1, 1), nn.Tanh())
        initialise(self)
        self.augmentation = augmentation

    def forward(self, small: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`small: [N,C,h,w]` in [-1, 1], `text: [N,width]` -> the picture, `[N,C,H,W]` in [-1, 1], mu and log sigma."""
        mu, log_sigma = self.augmentation(text)
        made: Tensor = self.decode(self.join(beside(self.encode(small), drawn(mu, log_sigma))))
        return made, mu, log_sigma


class Critic(nn.Module):
    """DCGAN's halvings, and logits of what they see: of a picture beside a text, and with `alone` of a picture by itself.

    A text is to it the generator's mu, or, with a `reader` of its own, what that makes of the words.
    """

    def __init__(
        self,
        channels: int,
        image: int,
        width: int,
        condition: int,
        downsample: str,
        norm: Norm,
        alone: bool,
        reader: nn.Module | None,
    ) -> None:
        super().__init__()
        c = widths_for(width, halvings_to(BASE, image))[-1]
        self.see = joined(halving_stages(channels, image, width, downsample, norm))
        self.fit = nn.Sequential(
            *(nn.Conv2d(c + condition, c, 3, 1, 1), behind_constants(norm)(c), nn.LeakyReLU(0.2)),
            last_of_critic(image, width),
        )
        self.real = last_of_critic(image, width) if alone else None
        initialise(self)
        self.reader = reader

    def told(self, codes: Tensor, mu: Tensor) -> Tensor:
        """What it goes by of texts, `[N,condition]`: `codes: int64 [N,words]` if it reads them, else the generator's `mu`."""
        return mu if self.reader is None else self.reader(codes)

    def fits(self, seen: Tensor, text: Tensor) -> Tensor:
        """Whether it is real and of this text. `seen: [N,C,4,4]`, of `see`; `text: [N,condition]`, of `told` -> `[N,1,1,1]`."""
        logits: Tensor = self.fit(beside(seen, text))
        return logits

    def reals(self, seen: Tensor) -> Tensor:
        """Whether it is real, whatever its text."""
        assert self.real is not None, "a critic that judges pictures by themselves, too"
        logits: Tensor = self.real(seen)
        return logits

    def judge(self, real: Tensor, fake: Tensor, right: Tensor, wrong: Tensor) -> tuple[Tensor, Tensor]:
        """What is said of positives and of negatives, logits of any shape; of each kind of them as many, so that a mean over
        all is one over the kinds. `real`, `fake`: pictures; `right`, `wrong`: their texts and others, of `told`.
        """
        of_real, of_fake = self.see(real), self.see(fake)
        positives, negatives = [self.fits(of_real, right)], [self.fits(of_real, wrong), self.fits(of_fake, right)]
        if self.real:
            positives.append(self.reals(of_real))
            negatives.append(self.reals(of_fake))
        return torch.cat(positives), torch.cat(negatives)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """`x: [N,channels,H,W]`, `text: [N,condition]` -> whether it is real and of this text, logits `[N,1,1,1]`."""
        return self.fits(self.see(x), text)


def behind_constants(norm: Norm) -> Norm:
    """The norm where constants have just entered a map."""
    return norm if norm is batch_norm else no_norm


def beside(maps: Tensor, vector: Tensor) -> Tensor:
    """`maps: [N,C,H,W]` and `vector: [N,D]` at each of their pixels: `[N,C+D,H,W]`."""
    return torch.cat([maps, vector[:, :, None, None].expand(-1, -1, *maps.shape[2:])], 1)
