"""Texts in a step: the words that a system tells apart, and captions that are not a picture's own."""

from __future__ import annotations

import torch
from torch import Tensor


def codes(words: Tensor, vocabulary: int) -> Tensor:
    """`words: int64 [N,W]`, a number from 1 for each word, then zeros -> what is known of them: 1 to `vocabulary`, 0 for none.

    Sorted: a text is here which words it has, not in which order. So texts that are read alike are equal rows.
    """
    return torch.where(words > 0, words % vocabulary + 1, 0).sort(1).values


def others(told: Tensor) -> Tensor:
    """For each row of `told: [N,W]` another one: the next that differs, in the order of the batch, which is a ring; where none
    does, the text without words. `[N,W]`."""
    count = len(told)
    places = torch.arange(count, device=told.device)
    further = (places[None] - places[:, None]) % count  # [N,N]: so many places behind the row
    differs = (told[:, None] != told[None]).any(2)
    place = torch.where(differs, further, count).argmin(1)  # of rows that differ no two are as far
    return torch.where(differs.any(1, keepdim=True), told[place], 0)
