"""How often fakes were taken for real, how sure that is, and whose answers look as if nobody had looked.

The interval is a percentile bootstrap over participants: people differ more than one person's trials do, so trials of many people
are not drawn as if they were one's. Where there is one participant only trials are left to draw, and the result says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from orchestrator.errors import Refusal, nearest
from orchestrator.study.answers import Session
from orchestrator.study.times import ms_text

LEVEL = 0.95
FEW = 10  # participants; a bootstrap over fewer is too sure of itself
AT_ONCE = 1 << 20  # numbers drawn together
LEAST_OFF, SHARE_OFF = 50, 0.1  # ms, and share of the exposure, that a picture may be seen too long or too short


@dataclass(frozen=True)
class Asked:
    """What the command line asks for. fastest: ms; who takes less in the median is flagged."""

    resamples: int = 10_000
    seed: int = 0
    leave_out: tuple[str, ...] = ()
    fastest: int = 150


def judge(studies: Mapping[str, Sequence[Session]], asked: Asked) -> dict[str, Any]:
    """What the answers come to, JSON-able: `studies` in order, each with its participants; and how the intervals were made.

    Raises Refusal where a participant that is to be left out is none, or nobody is left.
    """
    codes = [one.participant for sessions in studies.values() for one in sessions]
    for code in asked.leave_out:
        if code not in codes:
            raise Refusal(
                f"no participant {code}",
                path="--leave-out",
                value=code,
                nearest=nearest(code, codes),
                has=sorted(codes)[:10],
            )
    told = [_study(study, sessions, asked) for study, sessions in studies.items()]
    return {"level": LEVEL, "resamples": asked.resamples, "seed": asked.seed, "studies": told}


def _study(study: str, sessions: Sequence[Session], asked: Asked) -> dict[str, Any]:
    kept = [one for one in sessions if one.participant not in asked.leave_out]
    if not kept:
        raise Refusal(f"nobody is left of study {study}", path="--leave-out")
    fooled = [[not row.is_correct for row in one.scored] for one in kept]
    alone = len(kept) == 1
    units = [[hit] for hit in fooled[0]] if alone else fooled
    hits, counts = [sum(unit) for unit in units], [len(unit) for unit in units]
    low, high = interval(hits, counts, asked.resamples, asked.seed)
    return {
        "study": study,
        "name": kept[0].rows[0].name,
        "fooled": sum(hits) / sum(counts),
        "interval": [low, high],
        "interval_over": "trials" if alone else "participants",
        "participants": len(kept),
        "trials": sum(counts),
        "left_out": [one.participant for one in sessions if one.participant in asked.leave_out],
        "by_participant": [_participant(one, asked.fastest) for one in kept],
    }


def _participant(one: Session, fastest: int) -> dict[str, Any]:
    scored = one.scored
    return {
        "participant": one.participant,
        "fooled": sum(not row.is_correct for row in scored) / len(scored),
        "trials": len(scored),
        "reaction_ms": median(row.reaction for row in scored),
        "flags": flags(one, fastest),
    }


def flags(one: Session, fastest: int) -> list[str]:
    """What speaks against a participant's answers. Nobody is left out for it."""
    scored, told = one.scored, []
    answers = {row.answer for row in scored}
    if len(answers) == 1 and len(scored) > 1:
        told.append(f"always the {answers.pop()}")
    if median(row.reaction for row in scored) < fastest:
        told.append(f"answers in less than {ms_text(fastest)}")
    off = sum(
        any(abs(seen - row.exposure) > max(LEAST_OFF, SHARE_OFF * row.exposure) for seen in row.seen) for row in scored
    )
    if off:
        told.append(f"exposure off in {off}")
    return told


def interval(
    hits: Sequence[int], counts: Sequence[int], resamples: int, seed: int, level: float = LEVEL
) -> tuple[float, float]:
    """Percentile bootstrap of sum(hits) / sum(counts) where unit i has hits[i] of counts[i]; units are drawn with replacement.

    The same for the same arguments, whatever else is computed before it.
    """
    numbers, units = np.random.default_rng(seed), len(hits)
    of_hits, of_counts = np.asarray(hits, np.float64), np.asarray(counts, np.float64)
    shares = []
    step = max(1, AT_ONCE // units)
    for begin in range(0, resamples, step):
        drawn = numbers.integers(0, units, (min(step, resamples - begin), units))
        shares.append(of_hits[drawn].sum(1) / of_counts[drawn].sum(1))
    low, high = np.quantile(np.concatenate(shares), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
