"""The signs that a GAN is dying, as numbers of an evaluation: what they are called and how to read them, declared once.

They are no scores. A score says which of two runs is better; of two healthy runs these say nothing, so no search can be judged
by them. No torch here: the rules that stop a trial, the documentation and whoever watches a sweep ask for names alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

PREFIX = "health/"
SPREAD, CHANGE = f"{PREFIX}spread_", f"{PREFIX}change_"  # followed by the domain of the outputs


@dataclass(frozen=True)
class Sign:
    """`metric` compares the pictures `of`, a name in `System.shows`, with the real ones of domain `against`.

    unhealthy: what a value means that is none of a living run.
    """

    metric: str
    of: str
    against: str
    meaning: str
    unit: str
    unhealthy: str


def _spread(domain: str) -> Sign:
    return Sign(
        f"{SPREAD}{domain}",
        f"fake_{domain}",
        domain,
        f"how far outputs in {domain} differ from one another: mean over the pixels of their standard deviation over the "
        f"outputs, at 8 x 8 pixels, over that of the real pictures of {domain}",
        "ratio, from 0; a healthy one is near 1",
        "near 0: the outputs are all alike (collapse)",
    )


def _change(domain: str, source: str) -> Sign:
    return Sign(
        f"{CHANGE}{domain}",
        f"fake_{domain}",
        source,
        f"how far outputs in {domain} are from their inputs: mean abs(output - input), where channels and size agree",
        "images in [0, 1], so 0 to 1",
        "near 0: the outputs are the inputs (the identity solution)",
    )


SIGNS: dict[str, Sign] = {
    sign.metric: sign for sign in (_spread("b"), _spread("a"), _change("b", "a"), _change("a", "b"))
}


def signs_of(shows: Iterable[str], domains: Collection[str]) -> list[Sign]:
    """Those that an evaluation of a system has that shows these pictures and reads these domains.

    A system that makes pictures from noise alone reads no domain that they could be a change of.
    """
    shown = frozenset(shows)
    return [sign for sign in SIGNS.values() if sign.of in shown and sign.against in domains]
