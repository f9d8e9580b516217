"""The angles that a data set's classes are named after, for systems that read angles; and that no picture is mirrored for these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.errors import Refusal, show
from orchestrator.planning.data import DataFacts
from orchestrator.search.space import Scalar
from trainers.angles import SEPARATOR, NoAngle, degrees_of
from trainers.settings import Reads

DEGREES = "degrees"  # the setting that a system has where it must know them
MAKES_ANGLES = "`i2i-cluster shards build turned OUT` makes a data set that has them"


def as_setting(names: Sequence[str]) -> str | None:
    """The classes as a setting has them; None where they are not named after angles."""
    return SEPARATOR.join(names) if names and _angles(names) else None


def check_degrees(hyper: Mapping[str, Scalar | None], data: DataFacts) -> None:
    """Refusal where the data's classes are not named after angles, or not after those that were written down."""
    if DEGREES not in hyper:
        return
    try:
        angles = degrees_of(data.label_names)
    except NoAngle as error:
        problem = (
            f"{data.name} has the class {show(error.name)}, and angles are read by classes that are named after them"
        )
        advice = f"such as 015, 270 or -7.5 in degrees; {MAKES_ANGLES}"
        raise Refusal(f"{problem}, {advice}", path="data.uri", value=data.uri) from error
    written = hyper[DEGREES]
    if written is not None and _angles(str(written).split(SEPARATOR)) != angles:
        raise Refusal(f"{data.name} has other classes; leave it out", path=f"hyper.{DEGREES}", value=written)


def check_flip(reads: Reads, flip: bool) -> None:
    """Refusal where pictures are to be mirrored whose mirror images have other labels."""
    if flip and reads.sided:
        problem = "the mirror image of a picture has another label than the picture, and this system learns the labels"
        raise Refusal(f"{problem}; write data.augment: {{flip: false}}", path="data.augment.flip", value=flip)


def _angles(names: Sequence[str]) -> tuple[float, ...]:
    """The angles; none where a class is named after none."""
    try:
        return degrees_of(names)
    except NoAngle:
        return ()
