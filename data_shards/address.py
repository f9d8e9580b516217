"""Addresses of data: a plain path, `file://`, or `s3://bucket/prefix?option=value`, taken apart and put together.

The part of an s3 address before `?` is taken as it stands (nothing is percent-encoded there); the options say how to
reach the store, so that one string is enough to open it anywhere. Credentials are never part of it: an address is
printed, logged and stored.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from data_shards.errors import DataError, has

SCHEME = "s3://"
FORM = "s3://bucket/prefix?endpoint=http://host:port"
ADDRESSING = ("auto", "path", "virtual")
UNITS = {"s": 1, "m": 60, "h": 3600}

# Option -> what it means, for people.
OPTIONS: Mapping[str, str] = {
    "addressing": "how the bucket is named in a request: path, virtual or auto",
    "deadline": "how long one request is tried before the store counts as unreachable, such as 90s or 5m",
    "endpoint": "http(s) address of the server, where it is not AWS",
    "profile": "section of ~/.aws/config and ~/.aws/credentials",
    "region": "such as us-east-1",
}


@dataclass(frozen=True)
class Address:
    """An s3 address. `prefix` has no `/` at its ends; `options` holds what was given, checked."""

    bucket: str
    prefix: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def deadline(self) -> float | None:
        """Seconds, None where the address says nothing."""
        given = self.options.get("deadline")
        return seconds(given) if given else None

    @property
    def plain(self) -> str:
        """Without the options."""
        return f"{SCHEME}{self.bucket}/{self.prefix}" if self.prefix else f"{SCHEME}{self.bucket}"

    def __str__(self) -> str:
        """The canonical form: what opens the same store, with the options in order of their names."""
        query = urlencode(sorted(self.options.items()), safe=":/", quote_via=quote)
        return f"{self.plain}?{query}" if query else self.plain


def is_remote(uri: str | Path) -> bool:
    """Whether the address leads over the network; says nothing about whether it is a good one."""
    return isinstance(uri, str) and uri[: len(SCHEME)].lower() == SCHEME


def join(uri: str, path: str) -> str:
    """The address of `path` (with `/` between parts) below `uri`; options stay."""
    path = path.strip("/")
    if is_remote(uri):
        head, question, query = uri.partition("?")
        if "?" in path:
            raise DataError(f"{path!r} cannot be part of an address: ? starts the options")
        return f"{head.rstrip('/')}/{path}{question}{query}"
    if uri.lower().startswith("file://"):
        path = quote(path)
    return f"{uri.rstrip('/')}/{path}"


def parse(uri: str) -> Address:
    """The parts of an s3 address. DataError, naming the part, for one that cannot be meant."""
    assert is_remote(uri), uri
    place, question, query = uri[len(SCHEME) :].partition("?")
    bucket, _, prefix = place.partition("/")
    shown = f"{SCHEME}{place}"
    if "@" in bucket:
        raise DataError(
            f"{SCHEME}...@{bucket.rpartition('@')[2]}: an address holds no credentials; put them into AWS_ACCESS_KEY_ID"
            " and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws/credentials with ?profile=NAME"
        )
    if not bucket:
        raise DataError(f"{uri} names no bucket; write {FORM}")
    _check_bucket(shown, bucket)
    prefix = prefix.strip("/")
    if prefix and any(part in ("", ".", "..") for part in prefix.split("/")):
        raise DataError(f"{shown}: no part of a path may be empty, . or ..")
    if "\0" in prefix or not prefix.isprintable():
        raise DataError(f"{shown!r} holds characters that cannot be shown; give a plain path")
    return Address(bucket, prefix, _options(shown, query) if question else {})


def seconds(text: str) -> float:
    """`90s`, `5m`, `1.5h` as seconds; ValueError, one clause, for anything else."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([smh])", text.strip().lower())
    value = float(match[1]) * UNITS[match[2]] if match else 0.0
    if not 0 < value < math.inf:
        raise ValueError(f"must be a time such as 90s, 5m or 1h, not {text!r}")
    return value


def _check_bucket(shown: str, bucket: str) -> None:
    fits = re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket) and ".." not in bucket
    if not fits or re.fullmatch(r"[0-9]+(\.[0-9]+){3}", bucket):
        raise DataError(
            f"{shown}: {bucket!r} is not the name of a bucket (3 to 63 of a-z, 0-9, - and ., a letter or digit at both"
            " ends); a server is named with ?endpoint=http://host:port"
        )


def _options(shown: str, query: str) -> dict[str, str]:
    """The options of an address, checked one by one."""
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            raise DataError(f"{shown}: no option is called {name!r}{has(name, OPTIONS)}")
        if name in options:
            raise DataError(f"{shown}: the option {name} stands twice; give it once")
        if problem := _problem(name, value):
            raise DataError(f"{shown}: {name} {problem}")
        options[name] = value
    return options


def _problem(name: str, value: str) -> str:
    """What is wrong with the value of an option, as a clause; empty where nothing is."""
    if not value.strip():
        return f"is empty; it means: {OPTIONS[name]}"
    if name == "addressing" and value not in ADDRESSING:
        return f"must be one of {', '.join(ADDRESSING)}, not {value!r}"
    if name == "deadline":
        try:
            seconds(value)
        except ValueError as error:
            return str(error)
    return endpoint_problem(value) if name == "endpoint" else ""


def endpoint_problem(value: str) -> str:
    """What is wrong with the address of a server, as a clause; empty where nothing is."""
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError as error:
        return f"is no address of a server ({error}); write http://host:port"
    if "@" in url.netloc:
        return "holds credentials; put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if url.scheme not in ("http", "https") or not host or port == 0 or url.query or url.fragment:
        return f"must be http://host:port or https://host:port, not {value!r}"
    return ""
