"""CycleGAN and pix2pix as a careful researcher writes them in plain torch: the other side of `step.py`.

They use the product's network classes and start from the same weights, so that a difference in time is the loop's alone.
The surprise is what they leave out: no critic accuracy, no gradient norm, no check for non-finite numbers. The engine
pays for those and is compared with a loop that has none of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.system import System
from trainers.systems.cyclegan import CycleGAN
from trainers.systems.pix2pix import Pix2Pix

Pixels = np.ndarray | Tensor  # uint8 `[N,H,W,C]`
Losses = dict[str, Tensor]  # term -> its value, detached and unweighted


class Textbook(Protocol):
    """A method's loop, over the networks of `system`. `fused`: see `adam`."""

    def __init__(self, system: System, fused: bool) -> None: ...

    def step(self, pixels: Mapping[str, Pixels]) -> Losses:
        """One step on a batch: domain -> uint8 `[N,H,W,C]`."""
        ...


class ImagePool:
    """The history of generated images, as CycleGAN's published code keeps it: a list, and Python's dice."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.images: list[Tensor] = []

    def query(self, images: Tensor) -> Tensor:
        """`images: [N,C,H,W]`, detached. Returns as many, about half of them from the past once the pool is full."""
        out: list[Tensor] = []
        for image in images:
            if len(self.images) < self.capacity:
                self.images.append(image.clone())
                out.append(image)
            elif random.random() > 0.5:
                place = random.randrange(self.capacity)
                out.append(self.images[place])
                self.images[place] = image.clone()
            else:
                out.append(image)
        return torch.stack(out)


def set_requires_grad(networks: Iterable[nn.Module], wanted: bool) -> None:
    """Switch gradients of whole networks on or off."""
    for network in networks:
        for parameter in network.parameters():
            parameter.requires_grad_(wanted)


def to_images(pixels: Pixels) -> Tensor:
    """uint8 `[N,H,W,C]` -> float `[N,C,H,W]` in [-1, 1], where the bytes are."""
    return torch.as_tensor(pixels).permute(0, 3, 1, 2).contiguous().float().div_(127.5).sub_(1.0)


def adam(
    networks: Iterable[nn.Module], lr: float, betas: tuple[float, float], fused: bool, decay: float = 0.0
) -> torch.optim.Adam:
    """Adam over networks; not fused means torch's own choice of implementation for the device."""
    parameters = [p for network in networks for p in network.parameters()]
    return torch.optim.Adam(parameters, lr=lr, betas=betas, weight_decay=decay, fused=fused or None)


class TextbookCycleGAN:
    """One optimizer for both generators, one for both critics, a pool for each domain."""

    def __init__(self, system: System, fused: bool) -> None:
        nets = cast(CycleGAN, system)
        hyper = nets.hyper
        self.ab, self.ba, self.d_a, self.d_b = nets.ab, nets.ba, nets.d_a, nets.d_b
        betas = (hyper.beta1, hyper.beta2)
        self.generator_adam = adam([self.ab, self.ba], hyper.lr, betas, fused)
        self.critic_adam = adam([self.d_a, self.d_b], hyper.lr, betas, fused)
        self.pool_a, self.pool_b = ImagePool(hyper.pool), ImagePool(hyper.pool)

    def step(self, pixels: Mapping[str, Pixels]) -> Losses:
        """One step on a batch: the generators, then the critics."""
        a, b = to_images(pixels["a"]), to_images(pixels["b"])
        fake_b, fake_a = self.ab(a), self.ba(b)

        set_requires_grad([self.d_a, self.d_b], False)
        self.generator_adam.zero_grad(set_to_none=True)
        losses = self._generator_losses(a, b, fake_a, fake_b)
        adversarial = losses["adv_ab"] + losses["adv_ba"]
        cycle = 10.0 * (losses["cyc_a"] + losses["cyc_b"])
        identity = 5.0 * (losses["idt_a"] + losses["idt_b"])
        (adversarial + cycle + identity).backward()
        self.generator_adam.step()

        set_requires_grad([self.d_a, self.d_b], True)
        self.critic_adam.zero_grad(set_to_none=True)
        losses["d_a"] = judge(self.d_a, a, self.pool_a.query(fake_a.detach()))
        losses["d_a"].backward()
        losses["d_b"] = judge(self.d_b, b, self.pool_b.query(fake_b.detach()))
        losses["d_b"].backward()
        self.critic_adam.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def _generator_losses(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Losses:
        says_b, says_a = self.d_b(fake_b), self.d_a(fake_a)
        return {
            "adv_ab": F.mse_loss(says_b, torch.ones_like(says_b)),
            "adv_ba": F.mse_loss(says_a, torch.ones_like(says_a)),
            "cyc_a": F.l1_loss(self.ba(fake_b), a),
            "cyc_b": F.l1_loss(self.ab(fake_a), b),
            "idt_a": F.l1_loss(self.ba(a), a),
            "idt_b": F.l1_loss(self.ab(b), b),
        }


def judge(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """A least-squares critic's loss."""
    says_real, says_fake = critic(real), critic(fake)
    wrong = F.mse_loss(says_real, torch.ones_like(says_real)) + F.mse_loss(says_fake, torch.zeros_like(says_fake))
    return 0.5 * wrong


class TextbookPix2Pix:
    """The critic moves first, then the generator against the moved critic, on the same fake."""

    def __init__(self, system: System, fused: bool) -> None:
        nets = cast(Pix2Pix, system)
        hyper = nets.hyper
        self.ab, self.d = nets.ab, nets.d
        betas = (hyper.beta1, hyper.beta2)
        self.generator_adam = adam([self.ab], hyper.lr, betas, fused)
        self.critic_adam = adam([self.d], hyper.lr, betas, fused)

    def step(self, pixels: Mapping[str, Pixels]) -> Losses:
        """One step on a batch of pairs."""
        a, b = to_images(pixels["a"]), to_images(pixels["b"])
        fake_b = self.ab(a)

        set_requires_grad([self.d], True)
        self.critic_adam.zero_grad(set_to_none=True)
        says_fake = self.d(torch.cat([a, fake_b.detach()], 1))
        says_real = self.d(torch.cat([a, b], 1))
        loss_d = 0.5 * (binary(says_real, real=True) + binary(says_fake, real=False))
        loss_d.backward()
        self.critic_adam.step()

        set_requires_grad([self.d], False)
        self.generator_adam.zero_grad(set_to_none=True)
        adv = binary(self.d(torch.cat([a, fake_b], 1)), real=True)
        l1 = F.l1_loss(fake_b, b)
        (adv + 100.0 * l1).backward()
        self.generator_adam.step()
        return {"d": loss_d.detach(), "adv": adv.detach(), "l1": l1.detach()}


def binary(logits: Tensor, real: bool) -> Tensor:
    """Cross-entropy of logits that should all say real, or fake."""
    target = torch.ones_like(logits) if real else torch.zeros_like(logits)
    return F.binary_cross_entropy_with_logits(logits, target)
