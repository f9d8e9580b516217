"""Makes shards of a folder of the user's own pictures, laid out as `layouts` knows it.

Without a size, PNG, JPEG and WebP files go into the shards byte for byte (a JPEG decodes several times faster than a
PNG of it), and all pictures of a domain must have one size. With one, each picture is brought to its middle square of
that many pixels and stored as PNG, or as JPEG where it was one; a JPEG of that size is kept byte for byte.
"""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from data_shards.build.labels import LABELS, Label, read_labels, read_texts, text_beside, unread_columns
from data_shards.build.layouts import Found, Part, find, recognised
from data_shards.build.pack import SIZES, Sample
from data_shards.build.picture import JPEG_QUALITY, Picture, Progress, encode, in_parallel, keep, silent, upright
from data_shards.build.writer import BuildReport, Recipe, build
from data_shards.decode import JPEG, opened, square
from data_shards.errors import DataError
from data_shards.store import local_folder

_GREY = ("1", "L", "LA", "I;16", "I;16B")
_THREADS = 2


def build_folder(
    out: str,
    *,
    source: str,
    layout: str = "auto",
    paired: bool = False,
    size: int | None = None,
    validation: float = 0.1,
    progress: Progress = silent,
    upload: Progress = silent,
) -> BuildReport:
    """Shards of the pictures under the folder `source`.

    layout: "folders" (a/ and b/), "train-test" (trainA/, trainB/ and perhaps testA/, testB/, which become
    validation), "side-by-side" (A|B in one picture; in train/, val/, test/ or directly), or "auto" for one of the
    first two. paired: join the two folders' files by name (side-by-side pictures are pairs anyway). size: pixels, or
    None to keep the files as they are. validation: the share to hold back where no folder does. A file `labels.csv`
    in `source` may give classes, texts and attributes, see `read_labels`; a file `name.txt` beside `name.png` is its text, too.
    """
    if size is not None and size not in SIZES:
        raise DataError(f"a size of {size} pixels is not in 8..4096; leave it out to keep the pictures' own")
    root = local_folder(source)
    layout = recognised(root, layout)
    found = find(root, layout, paired)
    files = sorted({part.file for sample in found for part in sample.parts.values()})
    labels, texts = read_labels(root, files), read_texts(files)
    recipe = Recipe(
        name=root.name.encode(errors="replace").decode(),
        arguments={
            "layout": layout,
            "paired": paired,
            "size": size,
            "validation": validation,
            **_encoding(files, size),
            **({"attributes": True} if any(label.attributes is not None for label in labels.values()) else {}),
        },
        sources=_digest(root, [*files, *(text_beside(file) for file in texts)]),
    )
    return build(
        out,
        recipe,
        partial(_samples, found, labels, texts, unread_columns(root), size, progress),
        validation,
        upload=upload,
    )


def _samples(
    found: Sequence[Found],
    labels: dict[Path, Label],
    texts: dict[Path, str],
    unread: Sequence[str],
    size: int | None,
    progress: Progress,
    notes: list[str],
) -> Iterator[Sample]:
    """unread: columns of labels.csv that tell nothing."""
    channels = {domain: _channels(found, domain) for domain in sorted({d for sample in found for d in sample.parts})}
    unlabelled = untold = 0
    pictures = in_parallel(partial(_pictures, channels=channels, size=size), found, len(found), progress, _THREADS)
    for sample, shown in zip(found, pictures, strict=True):
        label = _label(sample, labels)
        unlabelled += label is None
        cls, text, attributes = label or Label()
        text = text or next((texts[part.file] for part in sample.parts.values() if part.file in texts), None)
        untold += text is None
        yield Sample(sample.key, shown, cls=cls, text=text, side=sample.side, attributes=attributes)
    if labels and unlabelled:
        given = next(iter(labels.values()))
        told = {"class": given.cls, "attributes": given.attributes}
        what = [name for name, value in told.items() if value is not None] or ["text"]
        notes.append(f"{unlabelled} of {len(found)} samples are not in {LABELS} and have no {' and no '.join(what)}")
    if texts and untold:
        notes.append(f"{untold} of {len(found)} samples have no text")
    if unread:
        notes.append(f"columns of {LABELS} that are not read: {', '.join(unread)}")


def _pictures(sample: Found, channels: dict[str, int], size: int | None) -> dict[str, Picture]:
    return {domain: _picture(part, channels[domain], size) for domain, part in sample.parts.items()}


def _picture(part: Part, channels: int, size: int | None) -> Picture:
    """The picture as it goes into a shard; DataError, naming the file, for one that cannot be decoded."""
    data = part.file.read_bytes()
    jpeg = size is not None and data.startswith(JPEG)
    try:
        if part.half is None and size is None:
            return keep(data, channels)
        with opened(io.BytesIO(data)) as file:
            if jpeg and part.half is None and file.size == (size, size):
                return keep(data, channels)  # encoded once more it would only be worse
            image = upright(file, channels)
    except (OSError, ValueError) as failure:
        raise DataError(f"{part.file} cannot be read as a picture: {failure}") from failure
    if part.half is not None:
        if image.width % 2:
            raise DataError(f"{part.file} is {image.width} pixels wide: two pictures side by side need an even number")
        middle = image.width // 2
        image = image.crop(
            (0, 0, middle, image.height) if part.half == "left" else (middle, 0, image.width, image.height)
        )
    return encode(square(image, size) if size else image, jpeg=jpeg)


def _encoding(files: Sequence[Path], size: int | None) -> dict[str, int]:
    """What the recipe says of the encoding: how JPEGs are stored at another size, where there are any."""
    if size is None:
        return {}
    for file in files:
        with file.open("rb") as stream:
            if stream.read(len(JPEG)) == JPEG:
                return {"jpeg_quality": JPEG_QUALITY}
    return {}


def _channels(found: Sequence[Found], domain: str) -> int:
    """1 where all pictures of a domain are grey by their format, else 3. Reads the files' headers only."""
    for file in {sample.parts[domain].file for sample in found if domain in sample.parts}:
        with file.open("rb") as stream:
            try:
                with opened(stream) as picture:
                    if picture.mode not in _GREY:
                        return 3
            except (OSError, ValueError) as failure:
                raise DataError(f"{file} cannot be read as a picture: {failure}") from failure
    return 1


def _label(sample: Found, labels: dict[Path, Label]) -> Label | None:
    """What is told of a sample; DataError where its two sides are of different classes or have different attributes."""
    given = [labels[part.file] for part in sample.parts.values() if part.file in labels]
    for what, told in (("classes", {one.cls for one in given}), ("attributes", {one.attributes for one in given})):
        if len(told) > 1:
            raise DataError(f"{LABELS} gives the two pictures of pair {sample.key} different {what}")
    texts = sorted(one.text for one in given if one.text)
    return given[0]._replace(text=texts[0] if texts else None) if given else None


def _digest(root: Path, files: Sequence[Path]) -> str:
    """One hash of all that the build reads, by path and content."""
    whole = hashlib.sha256()
    labels = root / LABELS
    for file in [*files, *([labels] if labels.exists() else [])]:
        name = os.fsencode(file.relative_to(root))  # a file's name need not be UTF-8
        whole.update(name + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()
