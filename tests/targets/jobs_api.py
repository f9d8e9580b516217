"""A fake of a Ray head's HTTP server, as far as it answers wrongly: real sockets, made-up replies. Right ones are Ray's own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import ray


class Api(ThreadingHTTPServer):
    """`answers`: path -> (status, text); other paths are not found. `shown`: the Authorization headers it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, str]] = {}
        self.shown: list[str | None] = []
        self.runs(ray.__version__)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def runs(self, version: str) -> None:
        """It is of this version."""
        self.answers["/api/version"] = (200, json.dumps({"version": "4", "ray_version": version, "session_name": "s"}))


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        self.server.shown.append(self.headers.get("Authorization"))
        status, text = self.server.answers.get(self.path.partition("?")[0], (404, "not found"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


@contextmanager
def jobs_api() -> Iterator[Api]:
    """The server, until the context ends."""
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
