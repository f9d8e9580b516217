"""What can be wrong with a setting: the user's mistake, told with the dotted key so that the door can point at it."""

from __future__ import annotations


class SettingError(ValueError):
    """A setting that a system or a network cannot take.

    `path` is the dotted key in sweep.yaml (`data.image`), `value` what stood there, `problem` one clause that says what is
    wrong and what would be right.
    """

    def __init__(self, path: str, value: object, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.value = value
        self.problem = problem


class NonFiniteError(RuntimeError):
    """A loss or a gradient became NaN or infinite, and the run does not pass over that (`on_nonfinite: stop | rollback`)."""

    def __init__(self, step: int, culprits: list[str]) -> None:
        super().__init__(f"step {step}: not finite: {', '.join(culprits)}")
        self.step = step
        self.culprits = culprits

    def __reduce__(self) -> tuple[type[NonFiniteError], tuple[int, list[str]]]:
        """Survive the trip between processes: exceptions are pickled by their arguments."""
        return NonFiniteError, (self.step, self.culprits)


class PeerLost(RuntimeError):
    """Another worker of the group died, or did not answer within the group's timeout: this one cannot go on either.

    One line: who noticed, in what, and what the transport said. The worker that is named need not be the one that failed:
    it may have been waiting for a third.
    """
