"""An MLflow tracking server as a user names it, and what its client says of it in one line.

An address may hold a password: it is taken out at once, goes to MLflow by the variables that MLflow reads, and is in no text.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from orchestrator.errors import Refusal

OPTION = "--mlflow"
SERVERS, LOCAL = ("http", "https"), ("sqlite", "file")
TAKES = ("mlflow-artifacts", "http", "https")  # of a run's place for files: the server passes on what it is sent
LONGEST = 400  # characters of what a server says
ERRNO = re.compile(r"\[Errno -?\d+\] ([^'\")(]+)")
# Unless the user says otherwise: nobody is told of this use, no addresses are printed, and a silent server is soon given up.
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
USER, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"


class TrackingFailed(OSError):
    """The tracking server did not answer, or did not do what it was asked for."""


@dataclass(frozen=True)
class Server:
    """Where runs go. uri: without what is secret. env: variables of MLflow that say who asks; None takes one away."""

    uri: str
    env: Mapping[str, str | None] = field(default_factory=dict, repr=False)

    def takes_files(self, place: str) -> bool:
        """Whether the files of a run may be written, by the address of their place: through the server, or on this machine."""
        scheme = urlsplit(place).scheme
        return scheme in TAKES or (scheme in ("", "file") and urlsplit(self.uri).scheme in LOCAL)


def check_client() -> None:
    """Raise Refusal unless MLflow's client is installed."""
    if importlib.util.find_spec("mlflow") is None:
        raise Refusal("runs are sent with mlflow-skinny: pip install 'i2i-cluster[mlflow]'")


def read_server(uri: str) -> Server:
    """The server that a user names. Raises Refusal, which repeats nothing of it: it may hold a password."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Refusal("is no address: its host or its port cannot be read", path=OPTION) from None
    if parts.scheme not in (*SERVERS, *LOCAL):
        raise Refusal("is no tracking server: http(s)://HOST:PORT, or sqlite:///FILE.db", path=OPTION)
    if parts.scheme in LOCAL:
        return Server(uri)
    if not host:
        raise Refusal("names no host: http(s)://HOST:PORT", path=OPTION)
    if parts.query or parts.fragment:
        raise Refusal("is a page of a server; leave out what begins with ? or #", path=OPTION)
    name, word = unquote(parts.username or ""), unquote(parts.password or "")
    env: dict[str, str | None] = {}
    if name and word:
        env = {USER: name, PASSWORD: word}
    elif name or word:
        env = {TOKEN: name or word, USER: None, PASSWORD: None}
    return Server(urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", "")), env)


@contextmanager
def asked(server: Server) -> Iterator[None]:
    """MLflow reads who asks, and how patiently, from the environment, which is as before afterwards. What its client raises
    becomes TrackingFailed: one line, without what is secret."""
    wanted: dict[str, str | None] = {name: value for name, value in DEFAULTS.items() if name not in os.environ}
    wanted |= server.env
    before = {name: os.environ.get(name) for name in wanted}
    try:
        _set(wanted)
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            raise TrackingFailed(f"{server.uri} {problem(error)}") from error
    finally:
        _set(before)


def problem(error: Exception) -> str:
    """What MLflow's client, or what lies under it, says, in a line."""
    text, cause = " ".join(str(error).split()), error.__context__
    for secret in filter(None, map(os.environ.get, (PASSWORD, TOKEN))):
        text = text.replace(secret, "***")
    if isinstance(cause, OSError):  # of requests: nobody answered
        reason = ERRNO.search(text)
        return f"cannot be reached: {reason[1].strip().lower()}" if reason else f"cannot be reached: {_cut(text)}"
    return f"refuses: {_cut(text)}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
