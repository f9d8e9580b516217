"""Inception score: Salimans et al., "Improved Techniques for Training GANs", NeurIPS 2016, section 4.

    IS = exp( E_x KL( p(y|x) || p(y) ) )        p(y|x): the classes that a network reads in a picture, p(y): their mean

From 1 (every picture is read alike, or like nothing) to the number of classes. It looks at no real picture. Of each part of the
pictures two sums are all that is kept: KL is the mean of sum p log p, less sum p(y) log p(y).
"""

from __future__ import annotations

import torch
from torch import Tensor

PARTS = 10  # published scores are means over so many parts
LEAST_PART = 100  # pictures: of fewer, a part would know too little of p(y), and all are one part


class Parts:
    """The sums of `count` pictures that are handed in block by block, in order: 10 parts, or 1 of fewer than 1,000 pictures."""

    def __init__(self, count: int, classes: int) -> None:
        parts = PARTS if count >= PARTS * LEAST_PART else 1
        self._of = torch.arange(parts).repeat_interleave(
            torch.tensor([len(p) for p in torch.arange(count).tensor_split(parts)])
        )
        self._sums = torch.zeros(parts, classes + 2, dtype=torch.float64)  # of p, of p log p, and their number
        self.seen = 0

    def add(self, logits: Tensor) -> None:
        """Take in the next logits `[n,K]`; at most `count` in all."""
        log_p = logits.double().cpu().log_softmax(1)
        p = log_p.exp()
        rows = torch.cat([p, (p * log_p).sum(1, keepdim=True), torch.ones(len(p), 1, dtype=p.dtype)], 1)
        self._sums.index_add_(0, self._of[self.seen : self.seen + len(rows)], rows)
        self.seen += len(rows)

    def of(self) -> tuple[float, float | None]:
        """The mean over the parts, and their standard deviation; None where all are one part."""
        sums = self._sums[self._sums[:, -1] > 0.0]
        count = sums[:, -1:]
        mean = sums[:, :-2] / count
        scores = (sums[:, -2] / count[:, 0] - torch.xlogy(mean, mean).sum(1)).exp()
        return float(scores.mean()), float(scores.std(correction=0)) if len(scores) > 1 else None


def inception_score(logits: Tensor) -> tuple[float, float | None]:
    """Logits `[N,K]`, N at least 1 -> the mean over the parts, and their standard deviation; None where all are one part."""
    parts = Parts(len(logits), logits.shape[1])
    parts.add(logits)
    return parts.of()
