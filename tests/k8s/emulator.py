"""An API server of Kubernetes, as far as kubectl and the Python client need one to make, read, change and delete objects.

It authenticates by token, authorises by the rules of Roles, admits by `validate.admit`, stores, and collects what owners leave
behind. It runs nothing: whoever plays the operator changes an object's status by `change`. Not there: watches, server-side apply,
and merging lists of Kubernetes' own kinds, which is refused.
"""

from __future__ import annotations

import copy
import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.k8s.api_http import Failure, Request, handler
from tests.k8s.certificate import make_certificate
from tests.k8s.kinds import named
from tests.k8s.validate import Object, admit

Key = tuple[str, str, str]  # plural, namespace, name


@dataclass
class Printed:
    """What a pod's container has printed. cut: after that many lines a connection breaks, once."""

    lines: list[str] = field(default_factory=list)
    ended: bool = False
    cut: int | None = None


class Emulator:
    """The server and its store. folder: for its certificate.

    users: token -> rules of Roles, None for all rights. hung, ill: resources that get no answer, or a bad one.
    """

    def __init__(self, folder: Path) -> None:
        self._certificate, context = make_certificate(folder)
        self.users: dict[str, list[Object] | None] = {"admin": None}
        self.requests: list[Request] = []
        self.printed: dict[str, Printed] = {}
        self.hung: set[str] = set()
        self.ill: set[str] = set()  # resources that are answered by 503
        self.news = threading.Condition()
        self._objects: dict[Key, Object] = {}
        self._numbers = itertools.count(1)
        self._closed = threading.Event()
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        for name in ("default", "kube-system"):
            self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Emulator:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        with self.news:
            self.news.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, path: Path, token: str = "admin", context: str = "test", namespace: str = "i2i") -> Path:
        """A kubeconfig with two contexts: this server's, and one that nobody answers at."""
        clusters = {context: self.url, "elsewhere": "https://127.0.0.1:9"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [
                {"name": name, "cluster": {"server": url, "certificate-authority": str(self._certificate)}}
                for name, url in clusters.items()
            ],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": "user", "namespace": namespace}}
                for name in clusters
            ],
        }
        path.write_text(yaml.safe_dump(config))
        return path

    def put(self, given: Object) -> Object:
        """Store an object as it is, whoever it is for."""
        kind = named(given["kind"])
        meta = given.setdefault("metadata", {})
        meta.setdefault("uid", str(uuid.uuid4()))
        meta.setdefault("creationTimestamp", datetime.now(UTC).isoformat(timespec="microseconds"))
        meta["resourceVersion"] = str(next(self._numbers))
        meta.setdefault("generation", 1)
        with self.news:
            self._objects[kind.plural, meta.get("namespace", ""), meta["name"]] = given
        return given

    def get(self, plural: str, name: str, namespace: str = "i2i") -> Object:
        """An object of the store. Raises KeyError."""
        return self._objects[plural, namespace, name]

    def all(self, plural: str) -> list[Object]:
        return [one for (kind, _, _), one in sorted(self._objects.items()) if kind == plural]

    def change(self, plural: str, name: str, change: Callable[[Object], None], namespace: str = "i2i") -> None:
        """Let the operator or a kubelet change an object."""
        with self._lock:
            made = copy.deepcopy(self.get(plural, name, namespace))
            change(made)
            self.put(made)

    def prints(self, pod: str, *lines: str, ended: bool = False) -> None:
        """Let a pod's container print, and end."""
        with self.news:
            log = self.printed.setdefault(pod, Printed())
            log.lines += lines
            log.ended = ended
            self.news.notify_all()

    def answer(self, request: Request, body: Callable[[], tuple[Object, str]]) -> tuple[int, Object]:
        """What a request leads to, one at a time. `body`: its content and how it is meant. Raises Failure."""
        with self._lock:
            return self._answer(request, body)

    def _answer(self, request: Request, body: Callable[[], tuple[Object, str]]) -> tuple[int, Object]:
        kind, key = request.kind, (request.kind.plural, request.namespace, request.name)
        space = ("namespaces", "", request.namespace)
        if request.verb == "create":
            if kind.namespaced and space not in self._objects:
                raise Failure(404, f'namespaces "{request.namespace}" not found')
            given = body()[0]
            return 201, self._create(request, given)
        if request.verb == "list":
            items = [one for (plural, where, _), one in sorted(self._objects.items()) if plural == kind.plural]
            if request.namespace:
                items = [one for one in items if one["metadata"].get("namespace") == request.namespace]
            chosen = [one for one in items if _chosen(one, request.query.get("labelSelector", ""))]
            return 200, {"apiVersion": kind.api, "kind": f"{kind.name}List", "metadata": {}, "items": chosen}
        if key not in self._objects:
            raise Failure(404, f'{kind.full} "{request.name}" not found')
        there = self._objects[key]
        if request.verb == "get":
            return 200, there
        if request.verb == "delete":
            return 200, self._delete(key, dry="dryRun" in request.query)
        given, meant = body()
        return 200, self._store(request, given if request.verb == "update" else _patched(there, given, meant))

    def _create(self, request: Request, given: Object) -> Object:
        meta = given.setdefault("metadata", {})
        name = meta.setdefault("name", f"{meta.get('generateName', '')}{uuid.uuid4().hex[:5]}")
        if (request.kind.plural, request.namespace, name) in self._objects:
            raise Failure(409, f'{request.kind.full} "{name}" already exists')
        if request.kind.namespaced:
            meta["namespace"] = request.namespace
        return self._store(request, given)

    def _store(self, request: Request, given: Object) -> Object:
        if (given.get("apiVersion"), given.get("kind")) != (request.kind.api, request.kind.name):
            raise Failure(400, f"{given.get('apiVersion')} {given.get('kind')} is not what this place holds")
        admitted, mistakes = admit(given)
        if mistakes:
            raise Failure(422, f'{request.kind.name} "{given["metadata"]["name"]}" is invalid: {"; ".join(mistakes)}')
        return admitted if "dryRun" in request.query else self.put(admitted)

    def _delete(self, key: Key, dry: bool) -> Object:
        there = self._objects[key]
        if dry:
            return there
        if there["metadata"].get("finalizers"):
            there["metadata"].setdefault("deletionTimestamp", datetime.now(UTC).isoformat())
            return there
        del self._objects[key]
        for other, one in list(self._objects.items()):
            owners = [owner["uid"] for owner in one["metadata"].get("ownerReferences", [])]
            if there["metadata"]["uid"] in owners and other in self._objects:
                self._delete(other, dry=False)
        return {"apiVersion": "v1", "kind": "Status", "status": "Success"}

    def may(self, token: str, request: Request) -> None:
        """Raise Failure unless the token's user may do it."""
        if token not in self.users:
            raise Failure(401, "Unauthorized")
        rules = self.users[token]
        if rules is None or any(
            request.kind.group in rule["apiGroups"]
            and request.resource in rule["resources"]
            and request.verb in rule["verbs"]
            for rule in rules
        ):
            return
        where = f' in the namespace "{request.namespace}"' if request.namespace else " at the cluster scope"
        what = f'cannot {request.verb} resource "{request.resource}" in API group "{request.kind.group}"'
        raise Failure(403, f'{request.kind.full} is forbidden: User "{token}" {what}{where}')

    def await_answer(self, request: Request) -> None:
        """Where the resource gets no answer, wait until the server ends."""
        if request.resource in self.ill:
            raise Failure(503, "etcdserver: no leader")
        if request.resource in self.hung:
            self._closed.wait()

    def follow(self, pod: str, follow: bool) -> Iterator[str]:
        """The lines that a pod prints, until it ends."""
        with self.news:
            log = self.printed.setdefault(pod, Printed())
        for number in itertools.count():
            with self.news:
                self.news.wait_for(partial(self._is_over, log, number, follow))
                if number >= len(log.lines):
                    return
                line = log.lines[number]
            if log.cut == number:
                log.cut = None
                raise ConnectionResetError
            yield line

    def _is_over(self, log: Printed, number: int, follow: bool) -> bool:
        """Whether there is a line of that number, or none will come."""
        return number < len(log.lines) or log.ended or not follow or self._closed.is_set()


def _chosen(one: Object, selector: str) -> bool:
    pairs = dict(part.split("=", 1) for part in selector.replace("==", "=").split(",") if part)
    labels = one["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in pairs.items())


def _patched(there: Any, patch: Any, meant: str) -> Any:
    """A JSON merge patch; of a strategic one what means the same."""
    if meant == "application/strategic-merge-patch+json" and _has_lists(patch):
        raise Failure(415, "lists of a strategic merge patch are not merged here")
    if meant not in ("application/merge-patch+json", "application/strategic-merge-patch+json"):
        raise Failure(415, f"patches of type {meant} are not taken")
    if not isinstance(patch, dict):
        return patch
    made = dict(there) if isinstance(there, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _patched(made.get(key), value, meant)
    return made


def _has_lists(patch: Any) -> bool:
    if isinstance(patch, dict):
        return any(key.startswith("$") or _has_lists(value) for key, value in patch.items())
    return isinstance(patch, list)
