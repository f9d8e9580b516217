"""A user's mistake, as the one line that the command line prints.

The parts (file, path, value, problem) stay on the exception because its text is put together in exactly one
place, and because a file with three typos is answered with three lines: the first Refusal carries the rest
in `also`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from orchestrator.saying import visible

LONGEST_VALUE = 60  # characters of a value that a line repeats; enough to recognise it, not to fill the screen


class Refusal(ValueError):
    """A request that cannot be granted as written. `str()` is one line; `lines()` has one for each mistake.

    Attributes:
        problem: what is wrong, naming the value and what would be right.
        file: the file as the user named it, or "" where there is none.
        path: dotted path inside the file ("data.image"), or "" for the file as a whole.
        value: the offending value as read; None where there is none.
        nearest: the valid name closest to the one written, if any is close.
        has: every valid name, where the list is short enough to be useful.
        also: further mistakes of the same file.
        rests: dotted paths of other values that it follows from; where one of them is refused, it means nothing.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str = "",
        path: str = "",
        value: object = None,
        nearest: str | None = None,
        has: Iterable[str] = (),
        also: Sequence[Refusal] = (),
        rests: Sequence[str] = (),
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.file = file
        self.path = path
        self.value = value
        self.nearest = nearest
        self.has = tuple(has)
        self.also = tuple(also)
        self.rests = tuple(rests)

    def __str__(self) -> str:
        line = ": ".join(part for part in (self.file, self.path, self.problem) if part)
        if self.nearest:
            line += f"; nearest: {self.nearest}"
        if self.has:
            line += f"; has: {', '.join(self.has)}"
        return visible(" ".join(line.splitlines()))

    def lines(self) -> list[str]:
        """One line for this mistake and one for each further one, in the order found."""
        return [str(self), *(line for other in self.also for line in other.lines())]

    def apart(self) -> list[Refusal]:
        """This mistake and the further ones, each for itself from now on."""
        also, self.also = self.also, ()
        return [self, *(mistake for other in also for mistake in other.apart())]


def refuse(found: Sequence[Refusal], file: str = "") -> None:
    """Raise the mistakes in `found` as one Refusal about `file`; return quietly if there are none."""
    mistakes = [mistake for refusal in found for mistake in refusal.apart()]
    for mistake in mistakes:
        mistake.file = mistake.file or file
    if mistakes:
        first, *rest = mistakes
        first.also = tuple(rest)
        raise first


@contextmanager
def blamed(options: Mapping[str, str]) -> Iterator[None]:
    """What is refused of a key that an option stands in for is told of the option, and not of the file. options: key -> option."""
    try:
        yield
    except Refusal as refusal:
        for one in (refusal, *refusal.also):
            for key, option in options.items():
                if one.path == key or one.path.startswith(f"{key}."):
                    one.file, one.path = "", option + one.path.removeprefix(key)
        raise


def asked(*checks: Callable[[], object]) -> list[Refusal]:
    """What is refused by checks that do not hang on one another."""
    found: list[Refusal] = []
    for check in checks:
        try:
            check()
        except Refusal as refusal:
            found += refusal.apart()
    return found


def in_order(found: Iterable[Refusal], places: Mapping[str, int]) -> list[Refusal]:
    """The mistakes in the order of the keys that they are about; `places`: dotted key -> its place in the file.

    A mistake about a key that is not there stands where the mapping does that should hold it, or at the end.
    """

    def place(refusal: Refusal) -> int:
        path = refusal.path
        while path and path not in places:
            path = path.rpartition(".")[0]
        return places.get(path, len(places))

    return sorted(found, key=place)


def places_of(values: Mapping[str, object]) -> dict[str, int]:
    """Dotted key -> place, for the values of a file in its order."""
    return {path: place for place, path in enumerate(_paths(values, ""))}


def _paths(values: Mapping[str, object], above: str) -> Iterator[str]:
    for key, value in values.items():
        yield f"{above}{key}"
        if isinstance(value, dict):
            yield from _paths(value, f"{above}{key}.")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name in `names` that `name` was most likely meant to be, whatever its case; None if none is close.

    A name that begins with the whole of another counts as close to it ("cycle" and "cyc"): people shorten and
    lengthen names more often than they misspell them.
    """
    import difflib  # at call time: a command line that refuses nothing does not pay for it

    folded = {candidate.casefold(): candidate for candidate in names}
    wanted = name.casefold()
    close = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    if close:
        return folded[close[0]]
    kin = [known for known in folded if len(wanted) > 1 and (known.startswith(wanted) or wanted.startswith(known))]
    return folded[min(kin, key=len)] if kin else None


def nearest_dotted(name: str, names: Sequence[str], separator: str = ".") -> str | None:
    """Like `nearest`, for names with a prefix: "cyc" and "weight.cyc" both find "weights.cyc"."""
    last = {full.rpartition(separator)[2]: full for full in reversed(names)}
    found = nearest(name.rpartition(separator)[2], last)
    if found:
        return last[found]
    return None if separator in name else nearest(name, names)  # equal prefixes alone make nothing close


def show(value: object) -> str:
    """`value` as its writer would recognise it in a YAML file, shortened: 'text', 3, true, null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."
