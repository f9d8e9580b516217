"""What can go wrong with data, by who can mend it, and how an error names the right word for a wrong one.

A DataError is the user's to mend and is never tried again. The world's failures are `OSError` or `RuntimeError`; those
of a store have been tried again as long as its deadline allows before anyone sees them.
"""

from collections.abc import Iterable


class DataError(ValueError):
    """A request that the data cannot serve. Its text is one line: what is wrong, and what to do about it."""


class Unreachable(OSError):
    """A store did not answer within its deadline. What was committed is safe: submit again once the store answers."""


class TooManyBadSamples(RuntimeError):
    """More samples of a source cannot be read than the user put up with (`data.bad_samples`)."""


def has(name: str, names: Iterable[str]) -> str:
    """How an error about an unknown `name` ends: "; nearest: train; has: train, validation" (nearest if close)."""
    import difflib  # only a wrong name pays for it

    known = list(names)
    close = difflib.get_close_matches(name, known, n=1)
    listed = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return (f"; nearest: {close[0]}" if close else "") + f"; has: {listed or 'nothing'}"
