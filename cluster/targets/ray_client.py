"""Ray's Jobs API over HTTP: who may use it, how long an answer may take, and what an error means to people.

Ray's own client is used, with three differences. It would prefer RAY_ADDRESS to the address it is given; it waits for ever;
and it sends a token only where RAY_AUTH_MODE says so, which nobody sets on a laptop.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ray
import requests
from ray.dashboard.modules.dashboard_sdk import SubmissionClient
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from cluster.targets.target import TargetError

WAIT_S = (5.0, 60.0)  # to connect, and between two bytes of an answer
MISSING = "Authentication required"  # how Ray begins what it says of a 401; of a 403 otherwise
HOW = "put its token into a file and name that in RAY_AUTH_TOKEN_PATH"


class Client(JobSubmissionClient):
    """Ray's client, for this address and no other."""

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        SubmissionClient.__init__(self, address=address, headers=dict(headers))
        self._client_ray_version = ray.__version__

    def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
        return super()._do_request(method, endpoint, timeout=WAIT_S, **options)

    def get(self, endpoint: str) -> requests.Response:
        """The answer to a GET that succeeded."""
        answer: requests.Response = self._do_request("GET", endpoint)
        answer.raise_for_status()
        return answer

    def json(self, endpoint: str) -> Any:
        """The same, read as JSON."""
        return self.get(endpoint).json()


def connect(address: str) -> Client:
    """A client of the cluster at `address`, once it has answered. Raises TargetError where it does not, or is another Ray."""
    token, _ = find_token(address)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with told(address):
        client = Client(address, headers)
        version = str(client.json("/api/version")["ray_version"])
    if version.split(".")[:2] != ray.__version__.split(".")[:2]:
        problem = f"{address} runs Ray {version}, and this machine has {ray.__version__}"
        raise TargetError(f"{problem}: install the same i2i-cluster, with the Ray it pins, on both")
    return client


def find_token(address: str) -> tuple[str, str]:
    """The token to show to `address`, and where it is from; ("", "") where there is none. Raises TargetError.

    In Ray's order: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token. The last is made by Ray for clusters of this
    machine, so other machines are shown it only where RAY_AUTH_MODE is token.
    """
    mode = os.environ.get("RAY_AUTH_MODE", "")
    if mode == "disabled":
        return "", ""
    if given := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return _sendable(given, address, "RAY_AUTH_TOKEN"), "RAY_AUTH_TOKEN"
    named, usual = os.environ.get("RAY_AUTH_TOKEN_PATH", ""), Path("~/.ray/auth_token").expanduser()
    path = Path(named).expanduser() if named else usual
    if not named and not (mode == "token" or is_loopback(address)):
        return "", ""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        if not named and isinstance(error, FileNotFoundError):
            return "", ""
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise TargetError(f"the token for {address} cannot be read: {path}: {str(why).lower()}") from error
    if not token:
        raise TargetError(f"the token for {address} is empty: {path}")
    return _sendable(token, address, str(path)), str(path)


def _sendable(token: str, address: str, source: str) -> str:
    """The token, once it is known that a header holds it: what refuses it later would print it. Raises TargetError."""
    if not (token.isascii() and token.isprintable()):
        raise TargetError(f"the token for {address} is not one line of printable ASCII: {source}")
    return token


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def told(address: str) -> Iterator[None]:
    """What goes wrong with a request to `address`, as a TargetError of one line."""
    try:
        yield
    except TargetError:  # said already
        raise
    except AuthenticationError as error:
        raise TargetError(_refused(address, str(error).startswith(MISSING))) from error
    except requests.exceptions.SSLError as error:
        raise TargetError(f"{address}: {_no_tls(str(error))}") from error
    except requests.exceptions.Timeout as error:
        raise TargetError(
            f"{address} does not answer within {max(WAIT_S):g} s: is the head up, and reachable?"
        ) from error
    except (requests.exceptions.ConnectionError, ConnectionError) as error:
        why = f"cannot be reached ({_cause(error)})"
        raise TargetError(f"{address} {why}: is the head up, its port open, or forwarded here?") from error
    except (requests.exceptions.RequestException, KeyError, TypeError) as error:
        # Of an answer of another shape, what Python misses in it says nothing to people.
        why = f" ({_last_line(error)})" if isinstance(error, requests.exceptions.RequestException) else ""
        problem = f"answers, but not as Ray's Jobs API does{why}"
        raise TargetError(f"{address} {problem}: is it the head's dashboard?") from error
    except OSError as error:  # such as a REQUESTS_CA_BUNDLE that is not there
        raise TargetError(f"{address}: {_last_line(error)}") from error
    except RuntimeError as error:  # Ray's word for any other status of an answer; the last line is the head's error
        raise TargetError(f"{address}: {_last_line(error)}") from error


def _refused(address: str, missing: bool) -> str:
    token, source = find_token(address)
    if missing or not token:
        return f"{address} wants a token: {HOW}"
    return f"{address} refuses the token of {source}: it is wrong, or has expired; {HOW}"


def _no_tls(text: str) -> str:
    """Why there is no secure connection."""
    if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text:
        return "it speaks no TLS; write http://, or the address of what stands before it and does"
    return "its certificate is not trusted; name the file of the authority that signed it in REQUESTS_CA_BUNDLE"


def _cause(error: BaseException) -> str:
    """What the system said at the bottom of it."""
    text = str(error)
    for known in ("Connection refused", "Name or service not known", "No route to host", "Network is unreachable"):
        if known in text:
            return known.lower()
    if "resolve" in text or "Temporary failure" in text:
        return "its name is not known"
    return "no connection"


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
