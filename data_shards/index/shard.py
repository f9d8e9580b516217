"""Reads one tar shard that somebody else wrote: its pictures, what is said about them, and every checksum.

Pictures are not decoded, only their headers are looked at: whether a file is whole is told by its checksum from then
on, and decoding a million pictures would take an hour.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import simplejpeg

from data_shards.attributes import spelled
from data_shards.decode import MOST_PIXELS, is_deep, opened
from data_shards.index.names import is_picture, key_and_extension
from data_shards.index.scan import Member, scan
from data_shards.manifest import Shard

_JPEG = b"\xff\xd8\xff"
_GREY = ("1", "L", "LA")
_LABELS = ("cls", "txt", "attrs", "json")
_LONGEST_LABEL = 1 << 20  # bytes; a longer file is data of its own
_NAMES = {"cls": ("class", "cls", "label"), "txt": ("text", "caption", "txt")}  # in a sample's .json


class Found(NamedTuple):
    """A picture in a shard. digest: 16 bytes over its content. shape: (channels, width, height)."""

    key: str
    extension: str
    offset: int
    size: int
    crc32c: int
    digest: bytes
    shape: tuple[int, int, int]


class Label(NamedTuple):
    """What a shard says about a key."""

    cls: str | None = None
    text: str | None = None
    attributes: str | None = None


@dataclass(frozen=True)
class ShardIndex:
    """All that one shard holds.

    extensions: of all its files. unreadable: "name (reason)" of each that claims to be a picture and is none.
    links: names of hard and symbolic links that claim to be pictures.
    """

    name: str
    shard: Shard
    pictures: list[Found] = field(default_factory=list)
    labels: dict[str, Label] = field(default_factory=dict)
    extensions: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def index_shard(path: Path, name: str, told: str) -> ShardIndex:
    """Read the tar at `path`, called `name` in the data set and `told` in errors. DataError where it is no whole tar."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        index = ShardIndex(name, Shard(os.fstat(file.fileno()).st_size, digest))
        links: list[str] = []
        for member, key, extension in _named(scan(path, told, links)):
            index.extensions.add(extension)
            if is_picture(extension):
                data = os.pread(file.fileno(), member.size, member.offset)
                try:
                    shape = shape_of(data)
                except (OSError, ValueError) as failure:
                    index.unreadable.append(f"{member.name} ({failure})")
                    continue
                content = hashlib.blake2b(data, digest_size=16).digest()
                crc = google_crc32c.value(data)
                index.pictures.append(Found(key, extension, member.offset, member.size, crc, content, shape))
            elif extension in _LABELS and member.size <= _LONGEST_LABEL:
                label = _label(extension, os.pread(file.fileno(), member.size, member.offset))
                index.labels[key] = _merged(index.labels.get(key), label, extension)
        index.links.extend(name for name in links if (named := key_and_extension(name)) and is_picture(named[1]))
    return index


def _named(members: list[Member]) -> Iterator[tuple[Member, str, str]]:
    for member in members:
        named = key_and_extension(member.name)
        if named is not None:
            yield member, *named


def shape_of(data: bytes) -> tuple[int, int, int]:
    """(channels, width, height) of a picture file; ValueError or OSError with a short reason for anything else."""
    if data.startswith(_JPEG):
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if width * height > MOST_PIXELS:
            raise ValueError(f"more than {MOST_PIXELS:,} pixels")
        return 1 if colours == "Gray" else 3, width, height
    with opened(io.BytesIO(data)) as picture:
        if is_deep(picture):
            raise ValueError("more than 8 bits a channel; `shards build folder` brings such pictures to 8")
        return 1 if picture.mode in _GREY else 3, picture.width, picture.height


def _label(extension: str, data: bytes) -> Label:
    """What a label file says; nothing where it is no text, or JSON of another form."""
    try:
        text = data.decode().strip()
        if extension == "attrs":
            return Label(attributes=spelled(text.split()))
        if extension != "json":
            return Label(**{"cls" if extension == "cls" else "text": text or None})
        told = json.loads(text)
    except (ValueError, RecursionError):
        return Label()
    return Label(*(_simple(told, names) for names in _NAMES.values())) if isinstance(told, dict) else Label()


def _simple(told: dict[str, object], names: tuple[str, ...]) -> str | None:
    """The first of the names that has a text or a whole number."""
    for name in names:
        value = told.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value).encode(errors="replace").decode()  # JSON can spell half a character
    return None


def _merged(there: Label | None, label: Label, extension: str) -> Label:
    """Two label files of one key as one: .cls and .txt go before .json, which says nothing of attributes."""
    if there is None:
        return label
    first, second = (there, label) if extension == "json" else (label, there)
    attributes = second.attributes if first.attributes is None else first.attributes
    return Label(first.cls or second.cls, first.text or second.text, attributes)
