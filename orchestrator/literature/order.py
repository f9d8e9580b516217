"""Whether rows come in the published order, as far as a few seeds can tell.

Numbers of other data, networks and judges cannot be compared with published ones; the order of rows can. Of each pair of rows a
95 % interval of the difference of their means (Welch's, which lets rows vary differently) says whether the seeds decide it. With
two seeds it is wide, and `undecided` then is the honest answer, not a failure.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from orchestrator.literature.file import Score
from orchestrator.results.wording import listed
from orchestrator.task.student import t_975

LEAST_SEEDS = 2  # for an interval
Verdict = Literal["agrees", "disagrees", "undecided"]
Values = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Pair:
    """Two rows: `better` has the better published value. difference: of the measured means, above 0 where it is the better one
    here, too. margin: half of its interval, infinite where a row has fewer than two seeds."""

    better: str
    worse: str
    difference: float
    margin: float

    @property
    def verdict(self) -> Verdict:
        """What the seeds say of the published order."""
        if abs(self.difference) <= self.margin:
            return "undecided"
        return "agrees" if self.difference > 0 else "disagrees"


@dataclass(frozen=True)
class Order:
    """The pairs of rows of a score, of those that are both published and measured. tau: Kendall's (b) between the published
    values and the measured means, NaN where there is none."""

    pairs: Sequence[Pair]
    tau: float

    def of(self, verdict: Verdict) -> list[Pair]:
        """The pairs with this verdict, in the order of the rows."""
        return [pair for pair in self.pairs if pair.verdict == verdict]


def order_of(score: Score, published: Mapping[str, float], measured: Values) -> Order:
    """How the measured values of a score (row -> those of its seeds) stand to the published ones. Published ties are no pairs."""
    sign = 1.0 if score.mode == "max" else -1.0
    printed = 1.0 if (score.published_mode or score.mode) == "max" else -1.0
    rows = [row for row in published if measured.get(row)]
    paper = {row: printed * published[row] for row in rows}
    here = {row: [sign * value for value in measured[row]] for row in rows}
    pairs = []
    for one, other in combinations(rows, 2):
        if paper[one] != paper[other]:
            better, worse = (one, other) if paper[one] > paper[other] else (other, one)
            pairs.append(Pair(better, worse, *_difference(here[better], here[worse])))
    means = [statistics.fmean(here[row]) for row in rows]
    return Order(pairs, kendall([paper[row] for row in rows], means))


def kendall(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's tau-b of two rankings of the same things: 1 the same order, -1 the opposite one; NaN where one has no order."""
    signs = [(_sign(one[i] - one[j]), _sign(other[i] - other[j])) for i, j in combinations(range(len(one)), 2)]
    untied = math.sqrt(sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs))
    return sum(a * b for a, b in signs) / untied if untied else math.nan


def told(name: str, score: Score, order: Order, titles: Mapping[str, str]) -> list[str]:
    """The order in words, a line each; `titles`: row -> what it is called."""
    if not order.pairs:
        return [f"{name}: no two rows have both a published order and a measured value."]
    agree, disagree, open_ = (order.of(verdict) for verdict in ("agrees", "disagrees", "undecided"))
    tau = "" if math.isnan(order.tau) else f" Kendall's tau of the means: {order.tau:.2f}."
    lines = [
        f"{name} ({score.metric} against {score.published_as}): of {len(order.pairs)} pairs with a published order the seeds "
        f"confirm {len(agree)}, contradict {len(disagree)} and leave {len(open_)} open.{tau}"
    ]
    for what, pairs in (("as published", agree), ("against the published order", disagree), ("open", open_)):
        if pairs:
            lines.append(f"  {what}: {'; '.join(_pair(pair, titles) for pair in pairs)}")
    return lines


def _pair(pair: Pair, titles: Mapping[str, str]) -> str:
    better, worse = titles[pair.better], titles[pair.worse]
    if pair.verdict == "disagrees":
        better, worse = worse, better
    said = f"{better} before {worse}" if pair.verdict != "undecided" else listed([better, worse])
    margin = f" ± {pair.margin:.2g}" if math.isfinite(pair.margin) else ""
    return f"{said} ({abs(pair.difference) if pair.verdict != 'undecided' else pair.difference:.3g}{margin})"


def _difference(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """The difference of the means, and half of its 95 % interval (Welch 1947, degrees of freedom rounded down)."""
    difference = statistics.fmean(one) - statistics.fmean(other)
    if min(len(one), len(other)) < LEAST_SEEDS:
        return difference, math.inf
    shares = [statistics.variance(some) / len(some) for some in (one, other)]
    error = math.fsum(shares)
    if error == 0:
        return difference, 0.0
    own = [share**2 / (len(some) - 1) for share, some in zip(shares, (one, other), strict=True)]
    freedom = max(1, math.floor(error**2 / math.fsum(own)))
    return difference, t_975(freedom) * math.sqrt(error)


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
