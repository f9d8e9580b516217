"""StackGAN's stage I: small pictures of texts, from noise. See `stackgan.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainers.from_noise import COMPANY, NORMS, NoiseHyper
from trainers.hyper import Learning, penalised
from trainers.networks.dcgan import DCGANGenerator
from trainers.networks.stackgan import Augmentation, Critic, First, Reader, Text, divergence
from trainers.replica import texts
from trainers.settings import Reads, Term, changed, setting
from trainers.system import Move, Player, Replica, Shapes, System, Weighed
from trainers.texts import codes, others

FIRST = "first"


@dataclass(frozen=True)
class StackGANFirstHyper(NoiseHyper):
    """The settings of stage I, which are stage II's too."""

    vocabulary: int = setting(
        4096, "words that are told apart: each is one of so many by its hash", minimum=1, maximum=1_000_000
    )
    embedding: int = setting(128, "length of a text's vector, learned in stage I", minimum=1, maximum=4096)
    condition: int = setting(128, "length of mu and of sigma", minimum=1, maximum=4096)
    critic_reads: str = setting(
        "words",
        "what a critic goes by of a text: its words, which it learns to read by itself, or the generator's mu",
        choices=("words", "mu"),
    )
    upsample: str = changed(NoiseHyper, "upsample", "nearest")
    gan: str = setting("vanilla", "adversarial criterion", choices=("vanilla", "minimax", "lsgan", "hinge"))
    decay_from: float = changed(Learning, "decay_from", 0.5)

    def build_first(self, channels: int, image: int) -> First:
        """The generator of stage I for pictures of `image` pixels."""
        generator = DCGANGenerator(
            *(self.latent + self.condition, channels, image, self.width, self.upsample, NORMS[self.generator_norm])
        )
        return First(Text(self.vocabulary, self.embedding), self.build_augmentation(), generator)

    def build_augmentation(self) -> Augmentation:
        """A stage's own."""
        return Augmentation(self.embedding, self.condition)

    def build_conditioned(self, channels: int, image: int, *, alone: bool) -> Critic:
        """A stage's critic; alone: it judges pictures without their texts, too."""
        reader = Reader(Text(self.vocabulary, self.embedding), self.embedding, self.condition)
        return Critic(
            *(channels, image, self.critic_width, self.condition, self.downsample, NORMS[self.norm], alone),
            reader=reader if self.critic_reads == "words" else None,
        )

    def read(self, words: Tensor) -> Tensor:
        """`words: int64 [N,W]`, as a replica draws them -> what the networks read of them, `[N,W]`."""
        return codes(words, self.vocabulary)


FIRST_TERMS = (
    Term(f"adv_{FIRST}", "λ_adv1", 1.0, "stage I: G makes D call (g(z, t), t) real, and right", stage=FIRST),
    Term(f"kl_{FIRST}", "λ_KL1", 2.0, "stage I: mean of KL(N(mu, sigma) || N(0, 1))", search=(0.2, 20), stage=FIRST),
    Term(f"d_{FIRST}", "λ_D1", 1.0, "stage I: D calls (b, t) real + 0.5 x ((b, wrong t) + (g(z, t), t))", stage=FIRST),
    Term(
        f"gp_{FIRST}",
        "λ_GP1 / λ_LP1",
        10.0,
        "stage I: penalty on D's gradient",
        when=penalised,
        search=(1, 100),
        stage=FIRST,
    ),
)


class StackGANFirst(System):
    """Stage I: small pictures of texts."""

    name = "stackgan"
    title = "StackGAN: Text to Photo-realistic Image Synthesis with Stacked Generative Adversarial Networks"
    citation = "Zhang et al., ICCV 2017, arXiv:1612.03242"
    reads = Reads(("b",), paired=False, captioned=("b",))
    terms = FIRST_TERMS
    shows = ("fake_b",)
    varied = True
    min_per_replica = 2
    Hyper = StackGANFirstHyper
    stage = FIRST

    def __init__(self, hyper: StackGANFirstHyper, shapes: Shapes, weights: Mapping[str, float], steps: int) -> None:
        super().__init__(weights)
        channels, image, _ = shapes["b"]
        self.hyper, self.gan = hyper, hyper.criterion
        self.first = hyper.build_first(channels, image)
        self.d = hyper.build_conditioned(channels, image, alone=False)
        optimizer, rate = hyper.build_optimizer(), hyper.rate(steps)
        self.generator = Player("generator", (self.first,), optimizer, rate)
        self.critic = Player("critic", (self.d,), optimizer, rate, critic=True, clip=hyper.clip)
        self.players = (self.generator, self.critic)
        self.pools: Mapping[str, int] = {}
        self.translators: Mapping[str, nn.Module] = {}

    @classmethod
    def build(cls, hyper: Any, shapes: Shapes, weights: Mapping[str, float], steps: int) -> StackGANFirst:
        return cls(hyper, shapes, weights, steps)

    @classmethod
    def check(cls, shapes: Shapes, hyper: Any) -> None:
        hyper.check(shapes)

    def make(self, told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures of texts, `told: int64 [N,W]` as `hyper.read` gives them, for new noise; mu and log sigma."""
        made: tuple[Tensor, Tensor, Tensor] = self.first(self.hyper.noise(len(told), told.device), told)
        return made

    def step(self, t: int, replica: Replica) -> Iterator[Move]:
        """D moves, then G against the moved D; both see the same pictures."""
        b, words = replica.draw_labelled("b")
        told = self.hyper.read(words)
        fake, mu, log_sigma = self.make(told)
        right, others_told = mu.detach(), others(told)  # D's view of a text teaches no generator to read
        with torch.no_grad():
            wrong, _ = self.first.augmentation(self.first.text(others_told))
        for _ in replica.turns(self.critic):
            texts = self.d.told(told, right), self.d.told(others_told, wrong)
            yield Move((self.judge(b, fake.detach(), *texts), self.critic))
        made = self.weigh(
            adv_first=lambda: self.gan.generator(self.d(fake, self.d.told(told, right))),
            kl_first=divergence(mu, log_sigma),
        )
        yield Move((made, self.generator))

    def judge(self, b: Tensor, fake: Tensor, right: Tensor, wrong: Tensor) -> Weighed:
        """D's terms: `b` real, `fake` generated, `[N,C,H,W]` each; `right`, `wrong`: their texts and others, as D reads them."""
        penalty = {"gp_first": lambda: self.hyper.penalise(lambda image: self.d(image, right), b, fake)}
        return self.weigh(
            d_first=lambda: self.gan.critic(*self.d.judge(b, fake, right, wrong), scale=1.0),
            **(penalty if self.hyper.penalised else {}),
        )

    def show(self, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A new picture for each of b, of the text that is told beside it, `texts("b")`."""
        if "b" not in images:
            return {}
        return {"fake_b": self.make(self.hyper.read(in_company(images)))[0][: len(images["b"])]}


def in_company(images: Mapping[str, Tensor]) -> Tensor:
    """The words of the texts of b's pictures, `int64 [N,W]`, from the start again until there is company for each; no words
    where none are told."""
    count, device = len(images["b"]), images["b"].device
    words = images.get(texts("b"), torch.zeros(count, 1, dtype=torch.int64, device=device))
    return words[torch.arange(max(count, COMPANY), device=device) % count]
