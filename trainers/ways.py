"""What a trained system makes pictures with, apart from the game that trained it: a network, and what it has to be told.

`System.show` draws codes and labels where it needs them; here they are arguments, so that a user can keep a code, walk from one to
another, or ask for a class. Given what `show` would have drawn, a way makes the same picture, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.around import Asked, Behind, Beside, Bounded, Chain, Features, Side
from trainers.networks.noise import LATENTS, normal
from trainers.system import System
from trainers.systems import stargan
from trainers.systems.augmented_cyclegan import AugmentedCycleGAN
from trainers.systems.began import BEGAN
from trainers.systems.bicyclegan import BicycleGAN
from trainers.systems.cgan import CGAN
from trainers.systems.clr_gan import CLRGAN
from trainers.systems.cogan import CoGAN
from trainers.systems.crn import CRN
from trainers.systems.cvae_gan import CVAEGAN
from trainers.systems.dcgan import DCGAN
from trainers.systems.dtn import DTN
from trainers.systems.munit import MUNIT
from trainers.systems.pix2pix import Pix2Pix
from trainers.systems.pix2pixhd import Pix2PixHD
from trainers.systems.wgan import WGAN

PICTURE, CODE, LABEL = "picture", "code", "label"
Draw = Callable[[int], Tensor]


@dataclass(frozen=True)
class Way:
    """To pictures of `target`: `network` is called with those of its inputs that there are, in this order: a picture of `source`,
    `[N,C,H,W]` in [-1, 1]; a code `[N,code]`; a label `[N,labels]` of 0 and 1. It gives `[N,C,H,W]` in [-1, 1].

    source: "" where pictures come from noise. draw: so many codes, as training draws them. bounded: codes fill a cube, not a ball.
    """

    target: str
    network: nn.Module
    source: str = ""
    code: int = 0
    draw: Draw | None = None
    labels: int = 0
    bounded: bool = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the network is called with."""
        there = ((PICTURE, self.source), (CODE, self.code), (LABEL, self.labels))
        return tuple(name for name, given in there if given)


Ways = list[Way]


def ways_of(system: System) -> dict[str, Way]:
    """Target domain -> the way to it, the system's main one first; none where a system makes no pictures, or only of texts."""
    return {way.target: way for way in WAYS.get(type(system), _plain)(system)}


def source_of(system: System, target: str) -> str:
    """The domain whose pictures are translated to `target`."""
    return next((domain for domain in (*system.reads.domains, *system.takes) if domain != target), target)


def between(way: Way, first: Tensor, last: Tensor, count: int) -> Tensor:
    """`count` codes from `first` to `last`, `[code]` each, both included: `[count,code]`.

    Along the great circle (White, "Sampling Generative Networks", 2016), since codes of N(0, I) lie near a sphere; straight where
    they fill a cube, or point the same or opposite ways.
    """
    part = torch.linspace(0.0, 1.0, count)[:, None]
    cosine = F.cosine_similarity(first, last, dim=0).clamp(-1.0, 1.0)
    angle = torch.arccos(cosine)
    if way.bounded or torch.sin(angle) < 1e-3:
        return torch.lerp(first[None], last[None], part)
    walked: Tensor = (torch.sin((1 - part) * angle) * first + torch.sin(part * angle) * last) / torch.sin(angle)
    return walked


def _plain(system: System) -> Ways:
    return [Way(target, network, source_of(system, target)) for target, network in system.translators.items()]


def _normal(length: int) -> Draw:
    return lambda count: normal(count, length)


def _pix2pix(system: Any) -> Ways:
    size = system.hyper.noise
    return [Way("b", Beside(system.ab), "a", size, _normal(size))] if size else _plain(system)


def _coded(system: Any) -> Ways:
    size = system.hyper.latent
    return [Way("b", system.ab, "a", size, _normal(size))]


def _augmented(system: Any) -> Ways:
    return [*_coded(system), Way("a", system.ba, "b")]


def _munit(system: Any) -> Ways:
    size = system.hyper.style
    sides = (("a", "b"), ("b", "a"))
    return [
        Way(there, Chain(system.contents[here], system.decoders[there]), here, size, _normal(size))
        for here, there in sides
    ]


def _stargan(system: Any) -> Ways:
    if system.hyper.labels != stargan.DOMAIN:
        return [Way("b", system.g, "b", labels=system.count)]
    labels = dict(zip(system.reads.domains, torch.eye(system.count).split(1), strict=True))
    return [Way(there, Asked(system.g, labels[there]), source_of(system, there)) for there in ("b", "a")]


def _pix2pixhd(system: Any) -> Ways:
    labels = system.reads.label_map
    return [Way("b", Behind(system.ab, system.hyper.told), labels)] if labels else _plain(system)


def _crn(system: Any) -> Ways:
    told, size = Behind(nn.Identity(), system.hyper.told), system.hyper.code
    if not size:
        return [Way("b", nn.Sequential(told, system.ab), system.reads.source)]
    draw: Draw = lambda count: torch.rand(count, size)  # noqa: E731
    return [Way("b", Chain(told, system.ab), system.reads.source, size, draw, bounded=True)]


def _dtn(system: Any) -> Ways:
    return [Way("b", nn.Sequential(Features(system.f), system.g), "a")]


def _noise(system: Any) -> Ways:
    return [Way("b", system.g, code=system.hyper.latent, draw=_latents(system.hyper))]


def _latents(hyper: Any) -> Draw:
    return lambda count: LATENTS[hyper.latent_kind](count, hyper.latent)


def _began(system: Any) -> Ways:
    size = system.hyper.latent
    draw: Draw = lambda count: 2.0 * torch.rand(count, size, device="cpu") - 1.0  # noqa: E731
    return [Way("b", Bounded(system.g), code=size, draw=draw, bounded=True)]


def _cogan(system: Any) -> Ways:
    size, draw = system.hyper.latent, _latents(system.hyper)
    return [Way(name, Side(system.g, place), code=size, draw=draw) for name, place in (("b", 1), ("a", 0))]


def _cgan(system: Any) -> Ways:
    return [Way("b", system.g, code=system.hyper.latent, draw=_latents(system.hyper), labels=system.classes)]


# Those whose pictures need more than a picture, or another network than the one that learns. All others translate plainly.
WAYS: Mapping[type[System], Callable[[Any], Ways]] = {
    Pix2Pix: _pix2pix,
    BicycleGAN: _coded,
    CVAEGAN: _coded,
    CLRGAN: _coded,
    MUNIT: _munit,
    AugmentedCycleGAN: _augmented,
    stargan.StarGAN: _stargan,
    Pix2PixHD: _pix2pixhd,
    CRN: _crn,
    DTN: _dtn,
    DCGAN: _noise,
    WGAN: _noise,
    BEGAN: _began,
    CoGAN: _cogan,
    CGAN: _cgan,
}
