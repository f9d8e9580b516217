"""Texts as networks read them: a number for each word. It is the word's hash, so there is no list of words to be made first,
and the same word has the same number on every machine and in every data set.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WORDS = 64  # of a text that are read; a caption has about ten
_BYTES = 8
_MOST = 2**63 - 1


def words(text: str) -> list[str]:
    """The words of a text: what stands between spaces and punctuation, whatever its case or its form of Unicode."""
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())


def encoded(texts: Sequence[str | None]) -> NDArray[np.int64]:
    """[n, WORDS]: a number from 1 for each of the first words of each text, then zeros; zeros alone where there is none."""
    numbers = np.zeros((len(texts), WORDS), np.int64)
    for row, text in zip(numbers, texts, strict=True):
        found = [_number(word) for word in words(text or "")[:WORDS]]
        row[: len(found)] = found
    return numbers


def _number(word: str) -> int:
    """1 to 2^63 - 1."""
    digest = hashlib.blake2b(word.encode(), digest_size=_BYTES, person=b"word").digest()
    return int.from_bytes(digest, "big") % _MOST + 1
