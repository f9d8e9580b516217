"""The pictures of a study, all of one size and encoded alike, so that nothing but what they show tells which is which."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from orchestrator.errors import Refusal
from orchestrator.evaluate.files import BAD, NAMED, read_picture

LEVEL = 9  # of PNG's compression: the page is made once and opened often
URI = "data:image/png;base64,"


@dataclass(frozen=True)
class Shown:
    """A picture as a page holds it. file: its path below its folder. digest: SHA-256 of its size and pixels, in hex."""

    file: str
    png: bytes
    width: int
    height: int
    digest: str

    @property
    def uri(self) -> str:
        """The picture as an address that holds it."""
        return URI + base64.b64encode(self.png).decode()


def encoded(file: Path, folder: Path, size: int | None) -> Shown:
    """A picture upright, in RGB, at `size` its middle square. Raises what BAD names."""
    image = Image.fromarray(read_picture(file, size))
    sink = io.BytesIO()
    image.save(sink, "PNG", compress_level=LEVEL)
    digest = hashlib.sha256(b"%dx%d:" % image.size + image.tobytes()).hexdigest()
    return Shown(file.relative_to(folder).as_posix(), sink.getvalue(), *image.size, digest)


def check_readable(bad: Mapping[Path, str], option: str) -> None:
    """Raise Refusal where pictures of an option's folder cannot be read: with one side's left out, the study would be another."""
    if bad:
        told = [f"{file} ({why})" for file, why in list(bad.items())[:NAMED]]
        more = f" and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
        raise Refusal(f"cannot be read; mend or remove them: {', '.join(told)}{more}", path=option)


def read_all(files: Sequence[Path], folder: Path, size: int | None, option: str) -> Iterator[Shown]:
    """The pictures of a folder, one after another. Raises Refusal for one that cannot be read."""
    for file in files:
        try:
            yield encoded(file, folder, size)
        except BAD as error:
            check_readable({file: str(error)}, option)


def check_differ(real: Sequence[Shown], fake: Sequence[Shown]) -> None:
    """Raise Refusal where a picture is on both sides: nobody could be right about it."""
    truths = {one.digest: one.file for one in real}
    same = [(truths[one.digest], one.file) for one in fake if one.digest in truths]
    if same:
        told = ", ".join(f"{theirs} and {mine}" for theirs, mine in same[:NAMED])
        more = f" and {len(same) - NAMED:,} more" if len(same) > NAMED else ""
        raise Refusal(f"shows the same as --real, pixel for pixel: {told}{more}", path="--fake")
