"""OST's phase II as a careful researcher writes it in plain torch, after `textbook.py`.

The published loop lets the gradients of the one picture pile up on the shared layers and throws them away later; this one switches
them off, as one does with a critic's, so that autograd does not make them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.textbook import ImagePool, Losses, Pixels, adam, judge, set_requires_grad, to_images
from benchmarks.textbook_bicycle import summed
from trainers.geometry import turned
from trainers.networks.split_resnet import Own
from trainers.system import System
from trainers.systems.ost import OST


class TextbookOST:
    """The preset `default`: selective backpropagation, a one-way cycle, one critic and its one history."""

    def __init__(self, system: System, fused: bool) -> None:
        nets = cast(OST, system)
        hyper = nets.hyper
        assert hyper.one == "a" and hyper.selective == "all_unshared" and not hyper.gan_one, "what is written here"
        self.hyper, self.shared, self.d = hyper, nets.shared, nets.d_many
        self.own_a, self.own_b = nets.own_one, nets.own_many
        betas = (hyper.beta1, hyper.beta2)
        self.own_a_adam = adam([self.own_a], hyper.lr, betas, fused)
        self.own_b_adam = adam([self.own_b], hyper.lr, betas, fused)
        self.shared_adam = adam([self.shared], hyper.lr, betas, fused)
        self.critic_adam = adam([self.d], hyper.lr, betas, fused)
        self.pool = ImagePool(hyper.pool)
        self.between: Callable[[], None] = lambda: None

    def step(self, pixels: Mapping[str, Pixels]) -> Losses:
        """One step on a batch: what follows the one picture, what follows the many, the critic."""
        x, b = turned(to_images(pixels["a"]), self.hyper.rotation, self.hyper.mirror), to_images(pixels["b"])
        set_requires_grad([self.d, self.shared], False)
        self._clear()
        code = self.shared.encoder(self.own_a.encoder(x))
        fake = self._decode(self.own_b, code)
        losses = {
            "adv": summed([self.d(fake)], real=True),
            "recon": F.l1_loss(self._decode(self.own_a, code), x),
            "cyc_one": F.l1_loss(self._decode(self.own_a, self.shared.encoder(self.own_b.encoder(fake))), x),
        }
        (losses["adv"] + losses["recon"] + 10.0 * losses["cyc_one"]).backward()
        self.own_a_adam.step()
        self.own_b_adam.step()
        self.between()

        set_requires_grad([self.shared], True)
        self._clear()
        code = self.shared.encoder(self.own_b.encoder(b))
        again = self._decode(self.own_b, code)
        losses |= {
            "adv_many": summed([self.d(again)], real=True),
            "recon_many": F.l1_loss(again, b),
            "kl": code.square().mean(),
        }
        (losses["adv_many"] + losses["recon_many"] + 0.1 * losses["kl"]).backward()
        self.own_b_adam.step()
        self.shared_adam.step()

        set_requires_grad([self.d], True)
        self.critic_adam.zero_grad(set_to_none=True)
        losses["d"] = judge(self.d, b, self.pool.query(fake.detach()))
        losses["d_many"] = judge(self.d, b, self.pool.query(again.detach()))
        (losses["d"] + losses["d_many"]).backward()
        self.critic_adam.step()
        return {name: found.detach() for name, found in losses.items()}

    def _decode(self, own: Own, code: Tensor) -> Tensor:
        drawn = code + self.hyper.noise * torch.randn_like(code)
        made: Tensor = own.decoder(self.shared.decoder(drawn))
        return made

    def _clear(self) -> None:
        for optimizer in (self.own_a_adam, self.own_b_adam, self.shared_adam):
            optimizer.zero_grad(set_to_none=True)
