"""The declarations every other part derives from: terms, what a system reads, evaluation scores, balance, hyper-parameters.

No torch here: the command line checks names against these lists. Every name a user may write is declared exactly once.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# How a sweep names a system of the user's own: a file, and a class in it where it holds several.
OWN = re.compile(r"(?P<file>.+\.py)(?::(?P<kind>\w*))?")
GREEK = {"α": "alpha", "λ": "lambda", "γ": "gamma", "β": "beta", "μ": "mu"}


@dataclass(frozen=True)
class Term:
    """One loss with a weight.

    `symbol` is the paper's, several separated by ` / `; in ASCII (`lambda_cyc`) each is an alias of the weight. `group`
    names terms that are usually set together. `times` names a term whose weight multiplies this one (CycleGAN's identity
    weight is a multiple of the cycle weight). `when` says, from the hyper-parameters, whether the term exists at all.
    `search`: the lowest and the highest weight worth trying, to be searched on a logarithmic scale; None where there is
    nothing to search. `stage`: of a loss of a stage that comes first, the stage's name.
    """

    name: str
    symbol: str
    weight: float
    meaning: str
    group: str | None = None
    times: str | None = None
    when: Callable[[Any], bool] | None = None
    search: tuple[float, float] | None = None
    stage: str = ""

    def exists(self, hyper: Any) -> bool:
        """Whether the term is in force under these hyper-parameters."""
        return self.when is None or self.when(hyper)


@dataclass(frozen=True)
class Reads:
    """The domains a system draws from; `paired`: a draw gives one sample of each, joined by key.

    `labelled`: the domains whose samples come with their class, a number from 0; `attributed`: those whose samples come with
    their attributes, a truth value for each that the data set has; `captioned`: those whose samples come with their texts, a
    number for each word. `label_map`: the domain whose pictures are label maps, the
    classes of the other one's pixels. `mixed`: the domains are the kinds of one set of pictures, so that what is made for one of
    them is held against no picture of another. `alone`: the domains of which there is one training sample. `sided`: the mirror
    image of a picture has another label than the picture.
    """

    domains: tuple[str, ...]
    paired: bool
    labelled: tuple[str, ...] = ()
    label_map: str = ""
    attributed: tuple[str, ...] = ()
    captioned: tuple[str, ...] = ()
    mixed: bool = False
    alone: tuple[str, ...] = ()
    sided: bool = False

    @property
    def source(self) -> str:
        """The domain whose pictures are translated to b, where there is one: a, or that of the label maps."""
        return next((domain for domain in self.domains if domain != "b"), "a")

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Source name -> its domains. A source has one order and one draw counter: a domain, or a pair of them."""
        if self.paired:
            return {"".join(self.domains): self.domains}
        return {domain: (domain,) for domain in self.domains}


@dataclass(frozen=True)
class Score:
    """One evaluation score `eval/<name>`: computed on the image `of`, one that a system shows or a domain's own, compared
    with the pictures of the domain `against`, or with their classes. Both are empty for what a system judges by itself.

    `needs_truth`: only where the data know the true counterpart. `measures`: the group of terms that the score is the
    validation value of; it cannot judge a search over its own weight (the largest weight would win). `needs_task`: only
    with a task network. `needs_labels`: only where pictures of `against` have classes. `varied`: only of a system whose
    translations of one picture differ. `fixed`: it looks at no translation, so every trial has the same value. `least`:
    validation pictures that each domain must have. `output`: what it needs of a network that looks at pictures, one of
    `trainers.outputs`; that is the task network where the name says so or `needs_task` does, else the one that was chosen.
    `aside`: why it can judge no search, to be read after its name; empty where it can. `pulled`: a group of
    terms that act on the score without being it, so that it cannot judge their weights either.
    """

    name: str
    mode: str
    of: str
    against: str
    meaning: str
    needs_truth: bool = False
    measures: str | None = None
    needs_task: bool = False
    needs_labels: bool = False
    varied: bool = False
    fixed: bool = False
    least: int = 1
    output: str = ""
    aside: str = ""
    pulled: str = ""

    @property
    def metric(self) -> str:
        """The name in logs and in `objective.metric`."""
        return f"eval/{self.name}"


def setting(
    default: Any,
    doc: str,
    *,
    choices: tuple[Any, ...] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    fixed: bool = False,
) -> Any:
    """A field of a hyper-parameter dataclass: its default, one line of documentation and what it may be.

    fixed: the same in all trials of a sweep, since their data are read by it.
    """
    metadata = {"doc": doc, "choices": choices, "min": minimum, "max": maximum, "fixed": fixed}
    return dataclasses.field(default=default, metadata=metadata)


def changed(declared: type[Any], name: str, default: Any) -> Any:
    """The field `name` of `declared` with another default, for a hyper-parameter dataclass that inherits it."""
    field = next(field for field in dataclasses.fields(declared) if field.name == name)
    return dataclasses.field(default=default, metadata=dict(field.metadata))


def fields_of(declared: type[Any]) -> list[dataclasses.Field[Any]]:
    """The fields of `declared`, its own before those that it inherits: people look for a paper's own settings first."""
    own = vars(declared).get("__annotations__", {})
    return sorted(dataclasses.fields(declared), key=lambda field: field.name not in own)


@dataclass(frozen=True)
class Preset:
    """A published configuration other than the default one: what it is, and the settings in which it differs."""

    meaning: str
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    hyper: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    balance: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Balance:
    """How hard the critics play; the same for every system (`balance.*`)."""

    lr_ratio: float | None = setting(
        None, "critic learning rate / generator learning rate; empty: the preset's own ratio", minimum=0.0
    )
    critic_turns: int = setting(1, "moves of a critic for each step", minimum=1, maximum=100)
    target_accuracy: float | None = setting(
        None,
        "the controller holds each critic's running accuracy near this: above it the critic rests, below it the critic "
        "has more turns; empty: no controller",
        minimum=0.5,
        maximum=1.0,
    )
    most_turns: int = setting(
        1,
        "moves that the controller may give a critic in a step; no more than critic_turns: rest only",
        minimum=1,
        maximum=100,
    )
    warmup_turns: int = setting(
        0, "moves of a critic in each of the first warmup_steps steps; 0: as ever", minimum=0, maximum=10_000
    )
    warmup_steps: int = setting(25, "steps with warmup_turns moves of the critics", minimum=0)
    warmup_every: int = setting(
        0, "one further step in each of so many has warmup_turns moves as well; 0: none", minimum=0
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
