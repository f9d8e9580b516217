"""The one error of this folder that is the user's to mend, and how it names the right word for a wrong one.

A missing or damaged file is not one of these: the world's failures stay `OSError` or `RuntimeError`, so that a caller
can retry them without ever retrying a mistake.
"""

from collections.abc import Iterable


class DataError(ValueError):
    """A request that the data cannot serve. Its text is one line: what is wrong, and what to do about it."""


def has(name: str, names: Iterable[str]) -> str:
    """How an error about an unknown `name` ends: "; nearest: train; has: train, validation" (nearest if close)."""
    import difflib  # only a wrong name pays for it

    known = list(names)
    close = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return (f"; nearest: {close[0]}" if close else "") + f"; has: {listed or 'nothing'}"
