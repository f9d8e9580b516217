"""The declarations every other part derives from: terms, what a system reads, evaluation scores, balance, hyper-parameters.

No torch here: the command line checks names against these lists. Every name a user may write is declared exactly once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

GREEK = {"α": "alpha", "λ": "lambda", "γ": "gamma", "β": "beta", "μ": "mu"}


@dataclass(frozen=True)
class Term:
    """One loss with a weight.

    `symbol` is the paper's, several separated by ` / `; in ASCII (`lambda_cyc`) each is an alias of the weight. `group`
    names terms that are usually set together. `times` names a term whose weight multiplies this one (CycleGAN's identity
    weight is a multiple of the cycle weight). `when` says, from the hyper-parameters, whether the term exists at all.
    """

    name: str
    symbol: str
    weight: float
    meaning: str
    group: str | None = None
    times: str | None = None
    when: Callable[[Any], bool] | None = None

    def exists(self, hyper: Any) -> bool:
        """Whether the term is in force under these hyper-parameters."""
        return self.when is None or self.when(hyper)


@dataclass(frozen=True)
class Reads:
    """The domains a system draws from; `paired`: a draw gives one sample of each, joined by key."""

    domains: tuple[str, ...]
    paired: bool

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Source name -> its domains. A source has one order and one draw counter: a domain, or a pair of them."""
        if self.paired:
            return {"".join(self.domains): self.domains}
        return {domain: (domain,) for domain in self.domains}


@dataclass(frozen=True)
class Score:
    """One evaluation score `eval/<name>`: computed on the image `of` that a system shows, compared with `against`.

    `needs_truth`: only where the data knows the true counterpart. `measures`: the group of terms that the score is the
    validation value of; it cannot judge a search over its own weight (the largest weight would win).
    """

    name: str
    mode: str
    of: str
    against: str
    meaning: str
    needs_truth: bool
    measures: str | None = None

    @property
    def metric(self) -> str:
        """The name in logs and in `objective.metric`."""
        return f"eval/{self.name}"


SCORES = {
    score.metric: score
    for score in (
        Score("l1", "min", "fake_b", "b", "mean |output - truth|, images in [0, 1], a to b", True),
        Score("psnr", "max", "fake_b", "b", "peak signal-to-noise ratio against the truth in dB, a to b", True),
        Score("ssim", "max", "fake_b", "b", "structural similarity with the truth, at most 1, a to b", True),
        Score("l1_ba", "min", "fake_a", "a", "mean |output - truth|, images in [0, 1], b to a", True),
        Score("psnr_ba", "max", "fake_a", "a", "peak signal-to-noise ratio against the truth in dB, b to a", True),
        Score("ssim_ba", "max", "fake_a", "a", "structural similarity with the truth, at most 1, b to a", True),
        Score("cycle", "min", "cycle_a", "a", "mean |G_ba(G_ab(a)) - a|, images in [0, 1]", False, measures="cyc"),
        Score("identity", "min", "idt_b", "b", "mean |G_ab(b) - b|, images in [0, 1]", False, measures="idt"),
    )
}


def setting(
    default: Any,
    doc: str,
    *,
    choices: tuple[Any, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A field of a hyper-parameter dataclass: its default, one line of documentation and what it may be."""
    metadata = {"doc": doc, "choices": choices, "min": minimum, "max": maximum}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Balance:
    """How hard the critics play; the same for every system (`balance.*`)."""

    lr_ratio: float | None = setting(
        None, "critic learning rate / generator learning rate; empty: the preset's own ratio", minimum=0.0
    )
    critic_turns: int = setting(1, "moves of a critic for each step", minimum=1, maximum=100)
    target_accuracy: float | None = setting(
        None, "a critic rests while its running accuracy is above this; empty: never", minimum=0.5, maximum=1.0
    )


def symbols(term: Term) -> list[str]:
    """The term's symbols in ASCII: `α_2A / λ_cyc` gives `alpha_2A` and `lambda_cyc`."""
    ascii_symbol = term.symbol
    for letter, word in GREEK.items():
        ascii_symbol = ascii_symbol.replace(letter, word)
    return [part.strip() for part in ascii_symbol.split("/") if part.strip()]


def aliases(terms: Iterable[Term]) -> dict[str, tuple[str, ...]]:
    """Every name under which weights may be given -> the terms it sets: names, groups, the papers' symbols in ASCII.

    A symbol that several terms carry sets all of them (λ_cyc of both cycle terms).
    """
    found: dict[str, list[str]] = {}
    listed = list(terms)
    for term in listed:
        found.setdefault(term.name, []).append(term.name)
    for term in listed:
        for name in [*([term.group] if term.group else []), *symbols(term)]:
            carriers = found.setdefault(name, [])
            if term.name not in carriers:
                carriers.append(term.name)
    return {name: tuple(carriers) for name, carriers in found.items()}


def effective(terms: Iterable[Term], weights: Mapping[str, float]) -> dict[str, float]:
    """What each term is really multiplied by: its weight, times the weight of the term it names in `times`."""
    return {term.name: weights[term.name] * (weights[term.times] if term.times else 1.0) for term in terms}
