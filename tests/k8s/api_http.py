"""The HTTP of the emulated API server: paths, tokens, bodies, Status objects, and logs that go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.k8s.kinds import Kind, by_plural, group_lists, resource_lists
from tests.k8s.validate import Object

WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "AlreadyExists",
    415: "UnsupportedMediaType",
    422: "Invalid",
    503: "ServiceUnavailable",
}
Body = Callable[[], tuple[Object, str]]


class Failure(Exception):
    """An answer that is no success."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Request:
    """One request as it was understood."""

    verb: str
    kind: Kind
    namespace: str
    name: str
    sub: str
    query: dict[str, str]

    @property
    def resource(self) -> str:
        """As the rules of a Role name it."""
        return f"{self.kind.plural}/{self.sub}" if self.sub else self.kind.plural


class Serving(Protocol):
    """What answers."""

    requests: list[Request]

    def may(self, token: str, request: Request) -> None: ...
    def await_answer(self, request: Request) -> None: ...
    def answer(self, request: Request, body: Body) -> tuple[int, Object]: ...
    def follow(self, pod: str, follow: bool) -> Iterator[str]: ...


def understood(method: str, target: str) -> Request | None:
    """What is asked for; None where there is no such place."""
    url = urlsplit(target)
    parts = [part for part in url.path.split("/") if part]
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    if parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif parts[:1] == ["apis"] and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    kind = by_plural(group, version, rest[0]) if rest else None
    if kind is None:
        return None
    name, sub = (*rest[1:3], "", "")[:2]
    verb = WRITES.get(method) or ("get" if name else "list")
    return Request(verb, kind, namespace, name, sub, query)


def told(path: str) -> Object | None:
    """What the server tells of itself at a path."""
    if path == "/version":
        return {"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return group_lists()
    return resource_lists(path.removeprefix("/apis/").removeprefix("/api/"))


def handler(server: Serving) -> type[BaseHTTPRequestHandler]:
    """A class of handlers that answer by `server`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                request = understood(self.command, self.path)
                token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                if request is None:
                    found = told(urlsplit(self.path).path.rstrip("/"))
                    if found is None:
                        raise Failure(404, "the server could not find the requested resource")
                    self._send(200, found)
                    return
                server.requests.append(request)
                server.may(token, request)
                server.await_answer(request)
                if request.sub == "log":
                    self._send_log(request)
                    return
                meant = (self.headers.get("Content-Type") or "").split(";")[0]
                self._send(*server.answer(request, lambda: (yaml.safe_load(content), meant)))
            except Failure as failure:
                self._send(failure.code, _status(failure))

        def _send(self, code: int, body: Object) -> None:
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _send_log(self, request: Request) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                for line in server.follow(request.name, request.query.get("follow") == "true"):
                    chunk = f"{line}\n".encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.write(b"0\r\n\r\n")
            except ConnectionError:
                self.close_connection = True

    return Handler


def _status(failure: Failure) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": failure.code,
        "reason": REASONS[failure.code],
        "message": str(failure),
    }
