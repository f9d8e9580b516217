"""The HTTP server of an endpoint: on its port, or the next one that is free, and never in anybody's way.

It is put together from prometheus_client's parts, whose own server asks the name service for this machine's name before it
listens, and prints a traceback whenever a client hangs up.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from cluster.job import METRICS_PORT, Endpoint, PortTaken
from cluster.monitoring.collector import Reading, SweepCollector

logger = logging.getLogger(__name__)
TRIED = 100  # ports, from the default one on
LOOK_S = 0.1  # how often the server looks whether it is to end
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
IN_A_POD = "KUBERNETES_SERVICE_HOST"  # Kubernetes sets it; there, policies say who reaches a port


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a request; none of them keeps the process alive."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Bind; the name of the machine is asked of nobody."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news."""
        logger.debug("a request for metrics failed", exc_info=True)


class _ServerOfSix(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nobody wants a line for each scrape."""


@dataclass(frozen=True)
class Listening:
    """A server that has its port and answers nobody yet."""

    server: WSGIServer
    host: str

    @property
    def target(self) -> str:
        """host:port for a Prometheus: where it listens everywhere, by this machine's name."""
        reached = socket.gethostname() if ipaddress.ip_address(self.host).is_unspecified else self.host
        return f"[{reached}]:{self.server.server_port}" if ":" in reached else f"{reached}:{self.server.server_port}"

    @property
    def url(self) -> str:
        """Where to scrape."""
        return f"http://{self.target}/metrics"


def listen(endpoint: Endpoint) -> Listening | None:
    """Take the endpoint's port, or where it names none the default one or one after it; None where none of those can be had.

    Raises PortTaken where it names one that cannot be had.
    """
    host = endpoint.host or (EVERYWHERE if os.environ.get(IN_A_POD) else LOOPBACK)
    for port in [endpoint.port] if endpoint.port else range(METRICS_PORT, METRICS_PORT + TRIED):
        try:
            return Listening(_bind(host, port), host)
        except OSError as error:
            if endpoint.port or (endpoint.host and error.errno != errno.EADDRINUSE):
                raise PortTaken(_told(host, port, error)) from error
    return None


@contextmanager
def serving(listening: Listening, reading: Reading) -> Iterator[None]:
    """Answer whoever scrapes, as long as this lasts."""
    registry = CollectorRegistry()
    registry.register(SweepCollector(reading))
    listening.server.set_app(_guarded(make_wsgi_app(registry)))
    thread = threading.Thread(target=listening.server.serve_forever, args=(LOOK_S,), name="metrics server", daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.server.shutdown()
        listening.server.server_close()
        thread.join()


def _bind(host: str, port: int) -> WSGIServer:
    kind = _ServerOfSix if ipaddress.ip_address(host).version == 6 else _Server
    return kind((host, port), _Handler)


def _told(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        otherwise = f"name another one, or none: then it is the next that is free from {METRICS_PORT} on"
        return f"metrics.port: port {port} of {host} is taken; {otherwise}"
    return f"metrics: cannot listen on port {port} of {host}: {error.strerror}"


def _guarded(app: WSGIApplication) -> WSGIApplication:
    """The same, with an error in words where the numbers cannot be read."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Any:
        try:
            return app(environ, start)
        except RuntimeError as error:
            start("503 Service Unavailable", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{error}\n".encode()]

    return answer
