"""UNIT: Liu, Breuel, Kautz, "Unsupervised Image-to-Image Translation Networks", NeurIPS 2017.

    min_E,G max_D  L_VAE1 + L_GAN1 + L_CC1 + L_VAE2 + L_GAN2 + L_CC2                                        (paper, eq. 2)
    L_VAE1 = lambda_1 KL(q_1(z_1|x_1) || N(0, I)) - lambda_2 E log p_G1(x_1|z_1)
    L_GAN1 = lambda_0 [E log D_1(x_1) + E log(1 - D_1(G_1(z_2)))]
    L_CC1  = lambda_3 [KL(q_1(z_1|x_1) || N(0, I)) + KL(q_2(z_2|x_1->2) || N(0, I))] - lambda_4 E log p_G1(x_1|z_2)

| paper | here | |
| --- | --- | --- |
| x_1, x_2 | a, b | |
| E_1, E_2 | encoders.a, encoders.b | the mean of z, which is a map; its variance is 1 |
| G_1, G_2 | decoders.a, decoders.b | |
| shared layers | hyper.share_layers | of both encoders the last, of both decoders the first residual blocks |
| -log p_G | rec, cyc | mean absolute error |
| lambda_0 | weights.adv | 1 |
| lambda_1, lambda_3 | weights.kl, weights.kl_cyc | 0.01; the mean of the squared code |
| lambda_2, lambda_4 | weights.rec, weights.cyc | 10 |

The defaults are those of the published code as it was written anew in 2018. Its divergence is the mean over z of the squared mean,
which is all that depends on E where the variance is 1, without the half; the noise is added in training alone, so a translation
is always the same. Its two autoencoders have no layer in common, though those of the paper and of the first code have one each:
`share_layers`, and the presets `shared` and `paper`. Each critic's loss is real + fake, not halved, summed over three scales. Its
perceptual term needs a network trained on photographs, which is not here; its configurations without one (`vgg_w: 0`) are.

`hyper.alike` is ours: b's networks begin as copies of a's, so that the first translations are the pictures themselves. Which code
of a stands for which of b is else decided by the draw of the weights, and any exchange of them is as good to every loss.

The critics move first, on pictures made with other noise than those that the generators are then judged by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from trainers.content import ContentHyper
from trainers.errors import SettingError
from trainers.hyper import penalised
from trainers.networks.content import ContentDecoder, ContentEncoder, Residuals
from trainers.settings import Preset, Reads, Term, setting
from trainers.system import Move, Player, Replica, Shapes, System


@dataclass(frozen=True)
class UNITHyper(ContentHyper):
    """UNIT's settings with the defaults of the authors' code."""

    share_layers: int = setting(
        0, "residual blocks that both encoders end in, and as many that both decoders begin with", minimum=0, maximum=64
    )
    alike: bool = setting(False, "whether b's encoder and decoder begin as copies of a's; not in the paper")


class UNIT(System):
    """Unpaired translation in both directions through one space of codes: two autoencoders, each with a critic."""

    name = "unit"
    title = "Unsupervised Image-to-Image Translation Networks"
    citation = "Liu, Breuel, Kautz, NeurIPS 2017, arXiv:1703.00848"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv_ab", "λ_0 / λ_adv", 1.0, "ab makes d_b call ab(a) real", group="adv", search=(0.3, 3)),
        Term("adv_ba", "λ_0 / λ_adv", 1.0, "ba makes d_a call ba(b) real", group="adv", search=(0.3, 3)),
        Term("rec_a", "λ_2 / λ_rec", 10.0, "mean |a, encoded and decoded, - a|", group="rec", search=(1, 100)),
        Term("rec_b", "λ_2 / λ_rec", 10.0, "mean |b, encoded and decoded, - b|", group="rec", search=(1, 100)),
        Term("kl_a", "λ_1 / λ_KL", 0.01, "mean of the squared code of a", group="kl", search=(0.001, 0.1)),
        Term("kl_b", "λ_1 / λ_KL", 0.01, "mean of the squared code of b", group="kl", search=(0.001, 0.1)),
        Term("cyc_a", "λ_4 / λ_cyc", 10.0, "mean |ba(ab(a)) - a|", group="cyc", search=(1, 100)),
        Term("cyc_b", "λ_4 / λ_cyc", 10.0, "mean |ab(ba(b)) - b|", group="cyc", search=(1, 100)),
        Term("kl_cyc_a", "λ_3", 0.01, "mean of the squared code of ab(a)", group="kl_cyc", search=(0.001, 0.1)),
        Term("kl_cyc_b", "λ_3", 0.01, "mean of the squared code of ba(b)", group="kl_cyc", search=(0.001, 0.1)),
        Term("d_a", "λ_D", 1.0, "d_a calls a real + d_a calls ba(b) fake", group="d"),
        Term("d_b", "λ_D", 1.0, "d_b calls b real + d_b calls ab(a) fake", group="d"),
        Term("gp_a", "λ_GP / λ_LP", 10.0, "penalty on d_a's gradient", group="gp", when=penalised, search=(1, 100)),
        Term("gp_b", "λ_GP / λ_LP", 10.0, "penalty on d_b's gradient", group="gp", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "shared": Preset("with the paper's shared layers, a block each", hyper={"share_layers": 1}),
        "paper": Preset(
            "the paper's shared layers, criterion and weights, which are those of the first published code",
            {"adv": 10.0, "rec": 100.0, "kl": 0.1, "cyc": 100.0, "kl_cyc": 0.1},
            {"share_layers": 1, "gan": "vanilla"},
        ),
    }
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b")
    Hyper = UNITHyper

    def __init__(self, hyper: UNITHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        self.hyper, self.gan = hyper, hyper.criterion
        channels = {domain: shapes[domain][0] for domain in self.reads.domains}
        own = hyper.blocks - hyper.share_layers
        self.encoders = nn.ModuleDict({d: ContentEncoder(c, hyper.width, own) for d, c in channels.items()})
        self.last_encoder = Residuals(hyper.width, hyper.share_layers)
        self.first_decoder = Residuals(hyper.width, hyper.share_layers)
        self.decoders = nn.ModuleDict({d: ContentDecoder(c, hyper.width, own) for d, c in channels.items()})
        if hyper.alike:
            for networks in (self.encoders, self.decoders):
                networks["b"].load_state_dict(networks["a"].state_dict())
        self.d_a, self.d_b = (hyper.build_critic(channels[domain]) for domain in ("a", "b"))
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        autoencoders = (self.encoders, self.last_encoder, self.first_decoder, self.decoders)
        self.generators = Player("generators", autoencoders, optimizer, rate)
        self.critics = Player("critics", (self.d_a, self.d_b), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generators, self.critics)
        self.pools: Mapping[str, int] = {}
        self.translators = {target: self._way(source, target) for source, target in (("a", "b"), ("b", "a"))}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> UNIT:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)
        if hyper.alike and shapes["a"][0] != shapes["b"][0]:
            problem = (
                f"networks of pictures with {shapes['a'][0]} channels and with {shapes['b'][0]} cannot begin alike"
            )
            raise SettingError("hyper.alike", hyper.alike, problem)
        if hyper.share_layers > hyper.blocks:
            problem = f"there are only {hyper.blocks} residual blocks to share; nearest: {hyper.blocks}"
            raise SettingError("hyper.share_layers", hyper.share_layers, problem)

    def _way(self, source: str, target: str) -> nn.Module:
        """The networks from a domain to another one, without noise."""
        return nn.Sequential(self.encoders[source], self.last_encoder, self.first_decoder, self.decoders[target])

    def encode(self, domain: str, pictures: Tensor) -> Tensor:
        """`[N,C,H,W]` of a domain -> the means of their codes, `[N,4 x width,H/4,W/4]`."""
        code: Tensor = self.last_encoder(self.encoders[domain](pictures))
        return code

    def decode(self, domain: str, code: Tensor) -> Tensor:
        """Codes -> pictures of a domain."""
        made: Tensor = self.decoders[domain](self.first_decoder(code))
        return made

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """The critics move first; then encoders and decoders together, with new noise."""
        a, b = replica.draw("a"), replica.draw("b")
        # For both moves: the critics' leaves the encoders as they are.
        code_a, code_b = self.encode("a", a), self.encode("b", b)
        for _ in replica.turns(self.critics):
            with torch.no_grad():
                fake_b, fake_a = self.decode("b", noisy(code_a)), self.decode("a", noisy(code_b))
            judged = self.hyper.judged("a", self.d_a, a, fake_a) | self.hyper.judged("b", self.d_b, b, fake_b)
            yield Move((self.weigh(**judged), self.critics))

        z_a, z_b = noisy(code_a), noisy(code_b)
        fake_b, fake_a = self.decode("b", z_a), self.decode("a", z_b)
        again_a, again_b = self.encode("b", fake_b), self.encode("a", fake_a)
        back_a, back_b = noisy(again_a), noisy(again_b)
        made = self.weigh(
            adv_ab=lambda: self.gan.generator_over(self.d_b(fake_b)),
            adv_ba=lambda: self.gan.generator_over(self.d_a(fake_a)),
            rec_a=lambda: (self.decode("a", z_a) - a).abs().mean(),
            rec_b=lambda: (self.decode("b", z_b) - b).abs().mean(),
            kl_a=divergence(code_a),
            kl_b=divergence(code_b),
            cyc_a=lambda: (self.decode("a", back_a) - a).abs().mean(),
            cyc_b=lambda: (self.decode("b", back_b) - b).abs().mean(),
            kl_cyc_a=divergence(again_a),
            kl_cyc_b=divergence(again_b),
        )
        yield Move((made, self.generators))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translations and cycles of whichever domains are given, without noise."""
        shown: dict[str, Tensor] = {}
        for source, target in (("a", "b"), ("b", "a")):
            if source in images:
                shown[f"fake_{target}"] = self.translators[target](images[source])
                shown[f"cycle_{source}"] = self.translators[source](shown[f"fake_{target}"])
        return shown


def noisy(code: Tensor) -> Tensor:
    """The code with noise from N(0, I): a sample of its distribution."""
    return code + torch.randn_like(code)


def divergence(code: Tensor) -> Tensor:
    """What the published code takes for KL(N(code, I) || N(0, I)): the mean of its square, a scalar."""
    return code.float().square().mean()
