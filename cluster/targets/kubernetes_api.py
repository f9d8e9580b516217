"""A Kubernetes API server by the official client: what is in a kubeconfig, and what goes wrong, in one line with what to do.

Objects are plain mappings here, as in manifests. The client is an extra of the package, imported where it is needed.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cluster.targets.kubernetes_site import RAY_GROUP, Manifest, Site
from cluster.targets.target import NotThere, TargetError

ANSWER_S = 30.0  # until a server that says nothing is given up
QUIET_S = 300.0
RIGHTS = "k8s/base/submit-role.yaml has the rights that are needed"
INSTALL = "`pip install kubernetes` brings it"
IN_CLUSTER = "KUBERNETES_SERVICE_HOST"  # the kubelet sets it in every pod
LONGEST = 300  # characters of a server's own words that a line repeats


class Refused(TargetError):
    """The API server refused a request. status: HTTP's."""

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.status = status


@dataclass(frozen=True)
class Api:
    """The parts of an API server that a sweep needs, in one namespace. place: for people."""

    place: str
    namespace: str
    core: Any
    custom: Any
    policy: Any
    version: Any
    timeout: float

    def call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Manifest:
        """The object or list that a method of the client answers with. Raises Refused and TargetError."""
        return self.answer(method, *arguments, **options)[0]

    def answer(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Manifest, Mapping[str, str]]:
        """The same, with the answer's headers."""
        with told(self.place):
            response = method(*arguments, _preload_content=False, _request_timeout=self.timeout, **options)
            return json.loads(response.data), response.headers

    def open(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """A response that is read as it comes. After QUIET_S without a byte it breaks: the way to it may be gone."""
        with told(self.place):
            return method(*arguments, _preload_content=False, _request_timeout=(self.timeout, QUIET_S), **options)


def connect(site: Site, timeout: float = ANSWER_S) -> Api:
    """The API server that the site's context names; asks it nothing yet. Raises TargetError."""
    try:
        from kubernetes import client, config
    except ModuleNotFoundError as error:
        raise TargetError(f"cluster.kubernetes needs the Python package kubernetes; {INSTALL}") from error
    settings = type.__call__(client.Configuration)  # not the process's shared one
    context, namespace = site.context, site.namespace
    file = os.environ.get("KUBECONFIG") or None  # asked for now: the library did when it was imported
    try:
        contexts, current = config.list_kube_config_contexts(file)
    except config.ConfigException as error:
        if context is not None or IN_CLUSTER not in os.environ:
            raise TargetError(f"no kubeconfig: {_line(str(error))}; log in to a cluster, or set KUBECONFIG") from error
        config.load_incluster_config(client_configuration=settings)
        context, namespace = "in-cluster", namespace or _own_namespace()
    else:
        chosen = _chosen(contexts, current, context)
        context, namespace = chosen["name"], namespace or chosen["context"].get("namespace") or "default"
        try:
            config.load_kube_config(file, context=context, client_configuration=settings)
        except config.ConfigException as error:
            raise TargetError(f"context {context} of the kubeconfig is of no use: {_line(str(error))}") from error
    settings.retries = False  # who waits for an answer would wait several times
    made = client.ApiClient(settings)
    return Api(
        place=f"kubernetes {context}/{namespace}",
        namespace=namespace,
        core=client.CoreV1Api(made),
        custom=client.CustomObjectsApi(made),
        policy=client.PolicyV1Api(made),
        version=client.VersionApi(made),
        timeout=timeout,
    )


@contextmanager
def told(place: str) -> Iterator[None]:
    """What the client raises, as a line. Raises Refused and TargetError."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError, MaxRetryError, ReadTimeoutError

    try:
        yield
    except ApiException as error:
        raise Refused(f"{place}: {_advice(error)}", int(error.status or 0)) from error
    except ReadTimeoutError as error:
        raise TargetError(f"{place}: no answer in time; try again, or see whether the API server is well") from error
    except (HTTPError, OSError) as error:
        cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        raise TargetError(
            f"{place}: cannot be reached: {_line(str(cause))}; see whether `kubectl get pods` can"
        ) from error
    except json.JSONDecodeError as error:
        raise TargetError(f"{place}: what answered is no Kubernetes API server") from error


def no_namespace(name: str) -> str:
    """What to do about a namespace that is not there."""
    return f"there is no namespace {name}; `kubectl apply -k k8s/overlays/prod` makes i2i, or name another"


def _cause(error: BaseException) -> str:
    """The end of what a connection's error says, which is why."""
    return _line(re.sub(r"^HTTPS?Connection(Pool)?\(.*?\): ", "", str(error)))


def _advice(error: Any) -> str:
    said, status = _message(error), error.status
    if status == 401:
        return "not logged in, or no longer; log in to the cluster again and see what `kubectl auth whoami` says"
    if status == 403:
        return f"{said}; {RIGHTS}"
    if status == 404 and (missing := re.search(r'namespaces "([^"]+)" not found', said)):
        return no_namespace(missing[1])
    if status == 404 and ("could not find the requested resource" in said or "page not found" in said):
        return f"the cluster knows no {RAY_GROUP} objects; install KubeRay 1.7 or newer"
    if status == 429 or (status or 0) >= 500:
        return f"the API server is busy or ill ({status}: {said}); try again"
    return said


def _message(error: Any) -> str:
    """What the server said: a Status object's message, else its first words."""
    try:
        return _line(json.loads(error.body or "{}").get("message") or error.reason)
    except (json.JSONDecodeError, AttributeError):
        return _line(error.body or error.reason or "")


def _chosen(contexts: list[Manifest], current: Manifest | None, wanted: str | None) -> Manifest:
    names = [one["name"] for one in contexts]
    if wanted is None:
        if not current:
            raise TargetError(f"the kubeconfig has no current context; name one of {', '.join(names) or 'none'}")
        return current
    for one in contexts:
        if one["name"] == wanted:
            return one
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f"; nearest: {near[0]}" if near else ""
    raise NotThere(f"the kubeconfig has no context {wanted!r}{hint}; has: {', '.join(names) or 'none'}", "context")


def _own_namespace() -> str:
    try:
        with open("/var/run/secrets/kubernetes.io/serviceaccount/namespace", encoding="utf-8") as file:
            return file.read().strip() or "default"
    except OSError:
        return "default"


def _line(text: str) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
