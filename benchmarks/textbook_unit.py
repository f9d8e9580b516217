"""UNIT and MUNIT as a careful researcher writes them in plain torch, after `textbook.py`.

The published loops run the generators twice, once for each move, and the first time with a graph that nobody uses. These keep
no graph of what the critics are shown, and encode once: the critics' move leaves the encoders as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.textbook import Losses, Pixels, adam, set_requires_grad, to_images
from benchmarks.textbook_bicycle import summed
from trainers.content import ContentHyper
from trainers.system import System
from trainers.systems.munit import MUNIT
from trainers.systems.unit import UNIT


class Players:
    """One optimizer for all that makes pictures, one for both critics, and the rate that is halved now and then.

    `between` is called between the two moves: where a comparison wants both sides to throw the same dice.
    """

    def __init__(self, hyper: ContentHyper, makers: Sequence[nn.Module], critics: Sequence[nn.Module], fused: bool):
        betas = (hyper.beta1, hyper.beta2)
        self.critics = critics
        self.generator_adam = adam(makers, hyper.lr, betas, fused, hyper.weight_decay)
        self.critic_adam = adam(critics, hyper.lr, betas, fused, hyper.weight_decay)
        optimizers = (self.generator_adam, self.critic_adam)
        self.rates = [torch.optim.lr_scheduler.StepLR(each, hyper.halve_every, 0.5) for each in optimizers]
        self.between: Callable[[], None] = lambda: None

    def judge(self, real: Sequence[Tensor], fake: Sequence[Tensor]) -> list[Tensor]:
        """The critics' move: the loss of each, before it."""
        set_requires_grad(self.critics, True)
        self.critic_adam.zero_grad(set_to_none=True)
        losses = [
            summed(critic(r), real=True) + summed(critic(f), real=False)
            for critic, r, f in zip(self.critics, real, fake, strict=True)
        ]
        torch.stack(losses).sum().backward()
        self.critic_adam.step()
        self.between()
        return losses

    def make(self, loss: Callable[[], Tensor]) -> None:
        """The generators' move."""
        set_requires_grad(self.critics, False)
        self.generator_adam.zero_grad(set_to_none=True)
        loss().backward()
        self.generator_adam.step()
        for rate in self.rates:
            rate.step()


def noisy(code: Tensor) -> Tensor:
    """UNIT's sample of a code."""
    return code + torch.randn_like(code)


def total(losses: Losses, weights: Mapping[str, float]) -> Tensor:
    """The weighted sum of the losses whose names begin so."""
    return torch.stack([weights[name.rpartition("_")[0]] * loss for name, loss in losses.items()]).sum()


class TextbookUNIT:
    """Without shared layers."""

    def __init__(self, system: System, fused: bool) -> None:
        nets = cast(UNIT, system)
        assert nets.hyper.share_layers == 0, "what is written here"
        self.enc_a, self.enc_b = nets.encoders["a"], nets.encoders["b"]
        self.dec_a, self.dec_b = nets.decoders["a"], nets.decoders["b"]
        self.d_a, self.d_b = nets.d_a, nets.d_b
        makers = [self.enc_a, self.enc_b, self.dec_a, self.dec_b]
        self.players = Players(nets.hyper, makers, [self.d_a, self.d_b], fused)

    def step(self, pixels: Mapping[str, Pixels]) -> Losses:
        """One step on a batch: the critics, then encoders and decoders."""
        a, b = to_images(pixels["a"]), to_images(pixels["b"])
        code_a, code_b = self.enc_a(a), self.enc_b(b)
        with torch.no_grad():
            fake_b, fake_a = self.dec_b(noisy(code_a)), self.dec_a(noisy(code_b))
        d_a, d_b = self.players.judge((a, b), (fake_a, fake_b))
        losses: Losses = {}

        def loss() -> Tensor:
            z_a, z_b = noisy(code_a), noisy(code_b)
            fake_b, fake_a = self.dec_b(z_a), self.dec_a(z_b)
            again_a, again_b = self.enc_b(fake_b), self.enc_a(fake_a)
            back_a, back_b = noisy(again_a), noisy(again_b)
            losses.update(
                adv_ab=summed(self.d_b(fake_b), real=True),
                adv_ba=summed(self.d_a(fake_a), real=True),
                rec_a=F.l1_loss(self.dec_a(z_a), a),
                rec_b=F.l1_loss(self.dec_b(z_b), b),
                kl_a=code_a.square().mean(),
                kl_b=code_b.square().mean(),
                cyc_a=F.l1_loss(self.dec_a(back_a), a),
                cyc_b=F.l1_loss(self.dec_b(back_b), b),
                kl_cyc_a=again_a.square().mean(),
                kl_cyc_b=again_b.square().mean(),
            )
            return total(losses, {"adv": 1.0, "rec": 10.0, "kl": 0.01, "cyc": 10.0, "kl_cyc": 0.01})

        self.players.make(loss)
        return {name: found.detach() for name, found in (losses | {"d_a": d_a, "d_b": d_b}).items()}


class TextbookMUNIT:
    """Without the cycle."""

    def __init__(self, system: System, fused: bool) -> None:
        nets = cast(MUNIT, system)
        assert not nets.hyper.cycle, "what is written here"
        self.style = nets.hyper.style
        self.content_a, self.content_b = nets.contents["a"], nets.contents["b"]
        self.style_a, self.style_b = nets.styles["a"], nets.styles["b"]
        self.dec_a, self.dec_b = nets.decoders["a"], nets.decoders["b"]
        self.d_a, self.d_b = nets.d_a, nets.d_b
        makers = [self.content_a, self.content_b, self.style_a, self.style_b, self.dec_a, self.dec_b]
        self.players = Players(nets.hyper, makers, [self.d_a, self.d_b], fused)

    def step(self, pixels: Mapping[str, Pixels]) -> Losses:
        """One step on a batch: the critics, then encoders and decoders."""
        a, b = to_images(pixels["a"]), to_images(pixels["b"])
        c_a, c_b = self.content_a(a), self.content_b(b)
        with torch.no_grad():
            fake_a = self.dec_a(c_b, torch.randn(len(b), self.style))
            fake_b = self.dec_b(c_a, torch.randn(len(a), self.style))
        d_a, d_b = self.players.judge((a, b), (fake_a, fake_b))
        losses: Losses = {}

        def loss() -> Tensor:
            s_a, s_b = torch.randn(len(b), self.style), torch.randn(len(a), self.style)
            fake_a, fake_b = self.dec_a(c_b, s_a), self.dec_b(c_a, s_b)
            losses.update(
                adv_ab=summed(self.d_b(fake_b), real=True),
                adv_ba=summed(self.d_a(fake_a), real=True),
                rec_a=F.l1_loss(self.dec_a(c_a, self.style_a(a)), a),
                rec_b=F.l1_loss(self.dec_b(c_b, self.style_b(b)), b),
                content_a=F.l1_loss(self.content_b(fake_b), c_a),
                content_b=F.l1_loss(self.content_a(fake_a), c_b),
                style_a=F.l1_loss(self.style_a(fake_a), s_a),
                style_b=F.l1_loss(self.style_b(fake_b), s_b),
            )
            return total(losses, {"adv": 1.0, "rec": 10.0, "content": 1.0, "style": 1.0})

        self.players.make(loss)
        return {name: found.detach() for name, found in (losses | {"d_a": d_a, "d_b": d_b}).items()}
