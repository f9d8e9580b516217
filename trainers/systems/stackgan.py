"""StackGAN: Zhang et al., "StackGAN: Text to Photo-realistic Image Synthesis with Stacked Generative Adversarial Networks",
ICCV 2017.

    I:  L_D = l(D0(x, t), 1) + 1/2 [l(D0(x, wrong t), 0) + l(D0(s0, t), 0)]
        L_G = l(D0(s0, t), 1) + lambda KL(N(mu0(t), sigma0(t)) || N(0, 1)),   s0 = G0(z, c0)
    II: L_D = 1/2 [l(D(x, t), 1) + l(D(x), 1)] + 1/3 [l(D(x, wrong t), 0) + l(D(s, t), 0) + l(D(s), 0)]
        L_G = l(D(s, t), 1) + l(D(s), 1) + lambda KL(N(mu(t), sigma(t)) || N(0, 1)),   s = G(s0, c)

| paper | here | |
| --- | --- | --- |
| G0, D0 and G, D | first, d of stage I; second, d | G draws no z: its noise is that of the small picture, and of c |
| t | the text's words | a hash for each, no list of words; in which order they stand is not read |
| phi_t | first.text | the sum of the words' embeddings, learned in stage I; the paper takes a network trained before |
| c = mu + sigma eps | drawn | conditioning augmentation; each stage has its own |
| lambda | weights.kl_first, kl | 2, as published; KL is the mean over samples and dimensions |
| (x, wrong t) | others | the next sample's text that differs, in the order of the batch; where none does, the text without words |

D compresses phi_t by a layer of its own, as in the paper. There phi_t is given; here it is learned, so D has words of its own
(`d.reader`). Under the preset `mu`, the published code's way, D is told G's mu(t), without its gradient: then nobody learns to
read from real pictures. D moves first, and G plays the same pictures against the moved D. Stage I's generator belongs to nobody
in stage II. The kinds of positives and of negatives that stage II's D tells apart are not equally many, so that a loss which only
compares them could be lowered for ever by what is said of all pictures alike: there is no Wasserstein loss here. The published
code puts a ReLU behind mu and log sigma, halves the rate every 20 of 120 epochs, and takes the next text of the batch even where
it is the same; here mu may be negative, sigma below 1, and the rate falls linearly in the second half.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.errors import SettingError
from trainers.from_noise import NORMS
from trainers.hyper import penalised
from trainers.networks.stackgan import Second, divergence
from trainers.settings import Preset, Score, Term, setting
from trainers.stages import Stage, Weights, fields_for
from trainers.system import Move, Player, Replica, Shapes, System, Weighed
from trainers.systems.stackgan_first import FIRST, FIRST_TERMS, StackGANFirst, StackGANFirstHyper, in_company
from trainers.texts import others

LOOK = 8  # pixels a side in which pictures are held against each other
MATCH = "text_match"


@dataclass(frozen=True)
class StackGANHyper(StackGANFirstHyper):
    """StackGAN's settings with the published defaults for COCO; the sizes of stage I's networks and of the critics are DCGAN's."""

    first_steps: int = setting(10_000, "length of stage I in steps", minimum=1)
    first_batch: int | None = setting(None, "pictures a step in stage I; empty: data.batch", minimum=1)
    first_image: int = setting(64, "side of stage I's pictures in pixels", choices=(8, 16, 32, 64, 128))
    second_width: int = setting(192, "channels of stage II's first layer", minimum=1, maximum=4096)
    blocks: int = setting(2, "residual blocks of stage II", minimum=0, maximum=64)


class StackGAN(System):
    """Stage II: large pictures of texts, from stage I's small ones."""

    name = StackGANFirst.name
    title = StackGANFirst.title
    citation = StackGANFirst.citation
    reads = StackGANFirst.reads
    terms = (
        Term("adv", "λ_adv", 1.0, "G makes D call (g(s0, t), t) real, and right", search=(0.1, 10)),
        Term("adv_alone", "λ_u", 1.0, "G makes D call g(s0, t) real, whatever its text", search=(0.1, 10)),
        Term("kl", "λ_KL", 2.0, "mean of KL(N(mu, sigma) || N(0, 1))", search=(0.2, 20)),
        Term(
            "d", "λ_D", 1.0, "D calls (b, t) and b real + (b, wrong t), (g(s0, t), t) and g(s0, t) fake, a mean of each"
        ),
        Term(
            "gp",
            "λ_GP / λ_LP",
            10.0,
            "penalty on the gradients of what D says, the mean of both",
            when=penalised,
            search=(1, 100),
        ),
        *FIRST_TERMS,
    )
    presets: ClassVar[Mapping[str, Preset]] = {
        "mu": Preset("the published code: D is told the generator's mu of a text", hyper={"critic_reads": "mu"})
    }
    shows = ("fake_b",)
    varied = True
    min_per_replica = StackGANFirst.min_per_replica
    judges = (
        Score(
            MATCH,
            "max",
            "",
            "",
            f"share of the other validation pictures that the picture of a text is less like than its own one, by "
            f"squared differences at {LOOK} x {LOOK} pixels; 0.5 by chance",
            least=2,
        ),
    )
    Hyper = StackGANHyper
    stages = (
        Stage(
            FIRST,
            "stage I, small pictures of texts",
            StackGANFirst,
            settings=lambda hyper: fields_for(StackGANFirstHyper, hyper),
            steps=lambda hyper: int(hyper.first_steps),
            batch=lambda hyper: hyper.first_batch,
            image=lambda hyper: int(hyper.first_image),
        ),
    )

    def __init__(self, hyper: StackGANHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels, image, _ = shapes["b"]
        self.hyper, self.gan = hyper, hyper.criterion
        self.first = hyper.build_first(channels, hyper.first_image)
        self.second = Second(
            hyper.build_augmentation(),
            hyper.condition,
            channels,
            hyper.first_image,
            image,
            hyper.second_width,
            hyper.blocks,
            hyper.upsample,
            NORMS[hyper.generator_norm],
        )
        self.d = hyper.build_conditioned(channels, image, alone=True)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.second,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.critic)
        self.frozen = {FIRST: self.first.requires_grad_(False).eval()}
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, nn.Module] = {}
        self.tables = {MATCH: 2 * channels * LOOK * LOOK}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> StackGAN:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        StackGANFirst.check(shapes, hyper)
        image = shapes["b"][1]
        if hyper.first_image >= image:
            problem = f"stage I makes pictures smaller than those of {image} pixels; nearest: {image // 2}"
            raise SettingError("hyper.first_image", hyper.first_image, problem)

    def enter(self, before: Mapping[str, Weights]) -> None:
        """Stage I's generator, with what it has learned to read."""
        for name, part in self.first.named_parameters(prefix="first"):
            part.copy_(before[FIRST][name])

    def make(self, told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures of texts, `told: int64 [N,W]` as `hyper.read` gives them, for new noise; mu and log sigma."""
        with torch.no_grad():
            small, _, _ = self.first(self.hyper.noise(len(told), told.device), told)
            text = self.first.text(told)
        made: tuple[Tensor, Tensor, Tensor] = self.second(small, text)
        return made

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """D moves, then G against the moved D; both see the same pictures."""
        b, words = replica.draw_labelled("b")
        told = self.hyper.read(words)
        fake, mu, log_sigma = self.make(told)
        right, others_told = mu.detach(), others(told)
        with torch.no_grad():
            wrong, _ = self.second.augmentation(self.first.text(others_told))
        for _ in replica.turns(self.critic):
            texts = self.d.told(told, right), self.d.told(others_told, wrong)
            yield Move((self.judge(b, fake.detach(), *texts), self.critic))

        seen = functools.cache(lambda: self.d.see(fake))
        made = self.weigh(
            adv=lambda: self.gan.generator(self.d.fits(seen(), self.d.told(told, right))),
            adv_alone=lambda: self.gan.generator(self.d.reals(seen())),
            kl=divergence(mu, log_sigma),
        )
        yield Move((made, self.generator))

    def judge(self, b: Tensor, fake: Tensor, right: Tensor, wrong: Tensor) -> Weighed:
        """D's terms: `b` real, `fake` generated, `[N,C,H,W]` each; `right`, `wrong`: their texts and others, as D reads them."""

        def gp() -> Tensor:
            heads = (lambda image: self.d(image, right), lambda image: self.d.reals(self.d.see(image)))
            return torch.stack([self.hyper.penalise(head, b, fake) for head in heads]).mean()

        return self.weigh(
            d=lambda: self.gan.critic(*self.d.judge(b, fake, right, wrong), scale=1.0),
            **({"gp": gp} if self.hyper.penalised else {}),
        )

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A new picture for each of b, of the text that is told beside it, `texts("b")`."""
        if "b" not in images:
            return {}
        return {"fake_b": self.make(self.hyper.read(in_company(images)))[0][: len(images["b"])]}

    def verdicts(self, images: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of each sample what the generated picture and the real one are like, `[N,2 x C x LOOK x LOOK]`."""
        looks = [F.adaptive_avg_pool2d(images[name].float(), LOOK).flatten(1) for name in ("fake_b", "b")]
        return {MATCH: torch.cat(looks, 1)}

    def total(self, name: str, rows: Tensor) -> float:
        """`text_match`: of each generated picture the share of the other real ones that are farther than its own; the mean."""
        made, real = rows.chunk(2, 1)
        apart = (made[:, None] - real[None]).square().sum(2)
        own = apart.diagonal()[:, None]
        farther = (apart > own).sum(1) + 0.5 * ((apart == own).sum(1) - 1)
        return float(farther.mean() / (len(rows) - 1))
