"""MUNIT: Huang, Liu, Belongie, Kautz, "Multimodal Unsupervised Image-to-Image Translation", ECCV 2018.

    min_E,G max_D  L_GAN^x1 + L_GAN^x2 + lambda_x (L_recon^x1 + L_recon^x2)
                   + lambda_c (L_recon^c1 + L_recon^c2) + lambda_s (L_recon^s1 + L_recon^s2)                (paper, eq. 5)

| paper | here | |
| --- | --- | --- |
| x_1, x_2 | a, b | |
| E_1^c, E_2^c | contents.a, contents.b | maps of a quarter of the side |
| E_1^s, E_2^s | styles.a, styles.b | vectors of length hyper.style |
| G_1(c, s), G_2(c, s) | decoders.a, decoders.b | s sets the statistics of its residual blocks (AdaIN) |
| x_1->2 = G_2(c_1, s_2) | ab(a, s), s from N(0, I) | |
| lambda_x, lambda_c, lambda_s | weights.rec, weights.content, weights.style | 10, 1, 1 |
| style-augmented cycle | weights.cyc, hyper.cycle | 10; there in the preset `cycle` alone |

The defaults are those of the published code for drawings and photographs of shoes; `cycle` is its configuration for summer and
winter. Each critic's loss is real + fake, not halved, summed over three scales. The domain-invariant perceptual term needs a
network trained on photographs, which is not here; the code's configurations for 256 pixels do without.

The critics move first, on pictures of other styles than those that the generators are then judged by. The public code keeps
the styles that it displays beside its weights. Here they are drawn anew for each picture that is shown, from a random stream that
depends on the seed and the picture's number: they are the same at every evaluation, and after a resume.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from trainers.content import ContentHyper
from trainers.hyper import penalised
from trainers.networks.content import ContentEncoder
from trainers.networks.noise import normal
from trainers.networks.style import StyledDecoder, StyleEncoder
from trainers.settings import Preset, Reads, Term, setting
from trainers.system import Move, Player, Replica, Shapes, System


@dataclass(frozen=True)
class MUNITHyper(ContentHyper):
    """MUNIT's settings with the published defaults."""

    style: int = setting(8, "length of a style", minimum=1, maximum=4096)
    mlp: int = setting(256, "width of the layers that tell a decoder its style", minimum=1, maximum=4096)
    cycle: bool = setting(False, "whether the cycle terms exist: there with a random style, back with its own")


def _cycle(hyper: MUNITHyper) -> bool:
    return hyper.cycle


class MUNIT(System):
    """Unpaired translation to many outputs in both directions: the content of a picture with any style of the other domain."""

    name = "munit"
    title = "Multimodal Unsupervised Image-to-Image Translation"
    citation = "Huang, Liu, Belongie, Kautz, ECCV 2018, arXiv:1804.04732"
    reads = Reads(("a", "b"), paired=False)
    terms = (
        Term("adv_ab", "λ_adv", 1.0, "ab makes d_b call ab(a, s) real", group="adv", search=(0.3, 3)),
        Term("adv_ba", "λ_adv", 1.0, "ba makes d_a call ba(b, s) real", group="adv", search=(0.3, 3)),
        Term("rec_a", "λ_x / λ_rec", 10.0, "mean |a, of its own content and style, - a|", "rec", search=(1, 100)),
        Term("rec_b", "λ_x / λ_rec", 10.0, "mean |b, of its own content and style, - b|", "rec", search=(1, 100)),
        Term("content_a", "λ_c", 1.0, "mean |content of ab(a, s) - content of a|", "content", search=(0.1, 10)),
        Term("content_b", "λ_c", 1.0, "mean |content of ba(b, s) - content of b|", "content", search=(0.1, 10)),
        Term("style_a", "λ_s", 1.0, "mean |style of ba(b, s) - s|", "style", search=(0.1, 10)),
        Term("style_b", "λ_s", 1.0, "mean |style of ab(a, s) - s|", "style", search=(0.1, 10)),
        Term("cyc_a", "λ_cyc", 10.0, "mean |ba(ab(a, s), style of a) - a|", "cyc", when=_cycle, search=(1, 30)),
        Term("cyc_b", "λ_cyc", 10.0, "mean |ab(ba(b, s), style of b) - b|", "cyc", when=_cycle, search=(1, 30)),
        Term("d_a", "λ_D", 1.0, "d_a calls a real + d_a calls ba(b, s) fake", group="d"),
        Term("d_b", "λ_D", 1.0, "d_b calls b real + d_b calls ab(a, s) fake", group="d"),
        Term("gp_a", "λ_GP / λ_LP", 10.0, "penalty on d_a's gradient", group="gp", when=penalised, search=(1, 100)),
        Term("gp_b", "λ_GP / λ_LP", 10.0, "penalty on d_b's gradient", group="gp", when=penalised, search=(1, 100)),
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "cycle": Preset("the published configuration for summer and winter: with the cycle", hyper={"cycle": True}),
    }
    shows = ("fake_b", "cycle_a", "fake_a", "cycle_b")
    varied = True
    Hyper = MUNITHyper

    def __init__(self, hyper: MUNITHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        self.hyper, self.gan = hyper, hyper.criterion
        channels = {domain: shapes[domain][0] for domain in self.reads.domains}
        width, blocks, style = hyper.width, hyper.blocks, hyper.style
        self.contents = nn.ModuleDict({d: ContentEncoder(c, width, blocks) for d, c in channels.items()})
        self.styles = nn.ModuleDict({d: StyleEncoder(c, width, style) for d, c in channels.items()})
        self.decoders = nn.ModuleDict(
            {d: StyledDecoder(c, width, blocks, style, hyper.mlp) for d, c in channels.items()}
        )
        self.d_a, self.d_b = (hyper.build_critic(channels[domain]) for domain in ("a", "b"))
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generators = Player("generators", (self.contents, self.styles, self.decoders), optimizer, rate)
        self.critics = Player("critics", (self.d_a, self.d_b), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generators, self.critics)
        self.pools: Mapping[str, int] = {}
        self.translators = {domain: self.decoders[domain] for domain in ("b", "a")}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> MUNIT:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        StyleEncoder.check(shapes["a"][1])
        hyper.check(shapes)

    def draw(self, pictures: Tensor) -> Tensor:
        """A style from N(0, I) for each picture: `[N,style]`."""
        return normal(len(pictures), self.hyper.style).to(pictures.device)

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """The critics move first; then encoders and decoders together, with new styles."""
        a, b = replica.draw("a"), replica.draw("b")
        # For both moves: the critics' leaves the encoders as they are.
        content_a, content_b = self.contents["a"](a), self.contents["b"](b)
        for _ in replica.turns(self.critics):
            with torch.no_grad():
                fake_a = self.decoders["a"](content_b, self.draw(b))
                fake_b = self.decoders["b"](content_a, self.draw(a))
            judged = self.hyper.judged("a", self.d_a, a, fake_a) | self.hyper.judged("b", self.d_b, b, fake_b)
            yield Move((self.weigh(**judged), self.critics))

        s_a, s_b = self.draw(b), self.draw(a)
        fake_a, fake_b = self.decoders["a"](content_b, s_a), self.decoders["b"](content_a, s_b)
        own_a, own_b = self.styles["a"](a), self.styles["b"](b)
        again_a, again_b = self.contents["b"](fake_b), self.contents["a"](fake_a)
        cycle = {
            "cyc_a": lambda: (self.decoders["a"](again_a, own_a) - a).abs().mean(),
            "cyc_b": lambda: (self.decoders["b"](again_b, own_b) - b).abs().mean(),
        }
        made = self.weigh(
            adv_ab=lambda: self.gan.generator_over(self.d_b(fake_b)),
            adv_ba=lambda: self.gan.generator_over(self.d_a(fake_a)),
            rec_a=lambda: (self.decoders["a"](content_a, own_a) - a).abs().mean(),
            rec_b=lambda: (self.decoders["b"](content_b, own_b) - b).abs().mean(),
            content_a=lambda: (again_a - content_a).abs().float().mean(),
            content_b=lambda: (again_b - content_b).abs().float().mean(),
            style_a=lambda: (self.styles["a"](fake_a).float() - s_a).abs().mean(),
            style_b=lambda: (self.styles["b"](fake_b).float() - s_b).abs().mean(),
            **(cycle if self.hyper.cycle else {}),
        )
        yield Move((made, self.generators))

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translations of whichever domains are given, each with a style from N(0, I), and back with the picture's own."""
        shown: dict[str, Tensor] = {}
        for source, target in (("a", "b"), ("b", "a")):
            if source in images:
                pictures = images[source]
                fake = self.decoders[target](self.contents[source](pictures), self.draw(pictures))
                shown[f"fake_{target}"] = fake
                back = self.decoders[source](self.contents[target](fake), self.styles[source](pictures))
                shown[f"cycle_{source}"] = back
        return shown
