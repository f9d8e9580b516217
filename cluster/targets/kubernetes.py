"""Sweeps on Kubernetes: each job of a sweep is a RayJob, which KubeRay's operator turns into pods.

What belongs to a RayJob (its file, the guard of its head) is made after it and owned by it, so that deleting the one is
deleting all. The surprise is `stop`, which deletes: a RayJob that is only suspended is started again by a queue, and it keeps
nothing that the sweep's log has not.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from cluster.finding import Finding
from cluster.targets.kubernetes_api import ANSWER_S, Refused, connect
from cluster.targets.kubernetes_checks import check_site, quantity, ray_cluster, worker_limits
from cluster.targets.kubernetes_doctor import examine
from cluster.targets.kubernetes_manifests import manifests
from cluster.targets.kubernetes_site import (
    COMPONENT,
    CONTENT,
    GPU,
    INSTANCE,
    RAY_API,
    RAY_GROUP,
    RAY_KIND,
    SUBMITTER,
    SUBMITTER_CONTAINER,
    SWEEP_LABEL,
    Manifest,
    Site,
)
from cluster.targets.kubernetes_status import describe, number_of, state_of, troubles
from cluster.targets.kubernetes_survey import survey
from cluster.targets.target import Capacity, Job, Need, Node, Parcel, Survey, TargetError, capacity_of

POLL_S = 2.0
CHUNK = 1 << 16
ABSENT, CONFLICT = 404, 409


class _Broken(Exception):
    """A connection ended in the middle of an answer."""


class KubernetesTarget:
    """One namespace of one cluster, as a `Target`. Raises TargetError where there is no way to it."""

    def __init__(self, site: Site, *, timeout: float = ANSWER_S, poll: float = POLL_S) -> None:
        self._site, self._poll = site, poll
        self._api = connect(site, timeout)

    @property
    def place(self) -> str:
        """Context and namespace."""
        return self._api.place

    def capacity(self) -> Capacity:
        """Of all worker pods that there may be, be they there now or not. Raises NotThere for what the sweep names besides."""
        check_site(self._api, self._site)
        if self._site.ray_cluster is None:
            return self._site.capacity
        cluster = ray_cluster(self._api, self._site.ray_cluster)
        groups = cluster["spec"].get("workerGroupSpecs", [])
        return capacity_of(node for group in groups for node in [_node(group)] * group["maxReplicas"])

    def survey(self, need: Need) -> Survey:
        """Of nodes, quotas and queues, as far as one may look."""
        return survey(self._api, self._site, need)

    def examine(self, probe: str | None) -> list[Finding]:
        """The way to it, rights, what the sweep names, clocks and room. No job is made, also where one is asked for."""
        return list(examine(self._api, self._site, self.tried))

    def find(self, sweep: str) -> Job | None:
        """The sweep's newest job."""
        jobs = self._api.call(self._ray("list"), label_selector=f"{SWEEP_LABEL}={sweep}")["items"]
        newest = max(jobs, key=number_of, default=None)
        return None if newest is None else self._described(newest)

    def submit(self, parcel: Parcel, number: int) -> Job:
        """Make the job and what belongs to it. Nothing of it stays where not all of it can be made."""
        job, *others = manifests(parcel, number, replace(self._site, offered=self.capacity()))
        made, is_new = self._made(job)
        try:
            for other in others:
                self._own(other, made)
        except TargetError:
            if is_new:
                self._delete(RAY_KIND, made["metadata"]["name"])
            raise
        return self._described(made)

    def logs(self, job: Job, follow: bool) -> Iterator[str]:
        """The driver's output: what the pod that handed it in prints. Where that one is replaced, it begins anew."""
        pod, sent, whole = "", 0, False
        while True:
            now = self._api.call(self._ray("read"), job.name)
            pods = self._pods(job.name)
            newest = _submitter(pods)
            if newest is not None and newest["metadata"]["name"] != pod:
                pod, sent = newest["metadata"]["name"], 0
            if newest is not None and _has_started(newest):
                whole = True
                try:
                    for line in self._printed(pod, sent, follow):
                        sent += 1
                        yield line
                except _Broken:  # the connection, not the pod: what is left is asked for again
                    whole = False
            elif trouble := next(troubles(pods), None):
                raise TargetError(f"{self.place}: {trouble}")
            elif not follow or state_of(now).is_over:
                detail = describe(now, pods).detail or "its pods are gone"
                raise TargetError(f"{self.place}: {job.name} has no output: {detail}")
            if whole and (not follow or state_of(now).is_over):
                return
            threading.Event().wait(self._poll)

    def stop(self, job: Job) -> None:
        """Delete the job and all that belongs to it; pods have their time to save."""
        self._delete(RAY_KIND, job.name)

    def tried(self, manifest: Manifest) -> Manifest:
        """The object as the cluster would store it, with all defaults; nothing is made. Raises TargetError."""
        name = manifest["metadata"]["name"]  # which may be taken
        body = manifest | {"metadata": manifest["metadata"] | {"name": f"{name}-tried"}}
        found = self._api.call(self._verb("create", manifest["kind"]), body, dry_run="All")
        found["metadata"]["name"] = name
        return found

    def stored(self, manifest: Manifest) -> Manifest | None:
        """The object of that kind and name as the cluster has it."""
        try:
            return self._api.call(self._verb("read", manifest["kind"]), manifest["metadata"]["name"])
        except Refused as refused:
            if refused.status != ABSENT:
                raise
            return None

    def _made(self, job: Manifest) -> tuple[Manifest, bool]:
        """The RayJob as the cluster has it, and whether it was not there before. Raises TargetError where it is another."""
        try:
            return self._api.call(self._ray("create"), job), True
        except Refused as refused:
            if refused.status != CONFLICT:
                raise
        name = job["metadata"]["name"]
        there = self._api.call(self._ray("read"), name)
        if "deletionTimestamp" in there["metadata"]:
            raise TargetError(f"{self.place}: {name} is being deleted; try again in a minute or two")
        if there["metadata"].get("annotations", {}).get(CONTENT) != job["metadata"]["annotations"][CONTENT]:
            raise TargetError(
                f"{self.place}: {name} is there already and was asked for otherwise; wait for it, or stop it"
            )
        return there, False

    def _own(self, manifest: Manifest, owner: Manifest) -> None:
        """Make an object that belongs to `owner`. One that belonged to a job of the same name before is on its way out."""
        uid = owner["metadata"]["uid"]
        belongs = {"apiVersion": RAY_API, "kind": RAY_KIND, "name": owner["metadata"]["name"], "uid": uid}
        body = manifest | {"metadata": manifest["metadata"] | {"ownerReferences": [belongs]}}
        create = self._verb("create", manifest["kind"])
        try:
            self._api.call(create, body)
        except Refused as refused:
            if refused.status != CONFLICT:
                raise
            there = self.stored(manifest)
            if there is not None and uid in [one["uid"] for one in there["metadata"].get("ownerReferences", [])]:
                return
            if there is not None:
                self._delete(manifest["kind"], manifest["metadata"]["name"])
            self._api.call(create, body)

    def _delete(self, kind: str, name: str) -> None:
        """Delete an object and what it owns; nothing happens where it is gone already."""
        try:
            self._api.call(self._verb("delete", kind), name, propagation_policy="Background")
        except Refused as refused:
            if refused.status != ABSENT:
                raise

    def _described(self, job: Manifest) -> Job:
        return describe(job, [] if state_of(job).is_over else self._pods(job["metadata"]["name"]))

    def _pods(self, job: str) -> list[Manifest]:
        listed = self._api.core.list_namespaced_pod
        found = self._api.call(listed, self._api.namespace, label_selector=f"{INSTANCE}={job}")["items"]
        return list(found)

    def _printed(self, pod: str, sent: int, follow: bool) -> Iterator[str]:
        """The lines of a pod's output from line `sent` on. Raises _Broken where the connection ends before they do."""
        from urllib3.exceptions import HTTPError

        read = self._api.core.read_namespaced_pod_log
        response = self._api.open(read, pod, self._api.namespace, container=SUBMITTER_CONTAINER, follow=follow)
        try:
            for number, line in enumerate(_lines(response)):
                if number >= sent:
                    yield line
        except HTTPError as error:
            raise _Broken from error
        finally:
            response.release_conn()

    def _ray(self, verb: str) -> Callable[..., Any]:
        return self._verb(verb, RAY_KIND)

    def _verb(self, verb: str, kind: str) -> Callable[..., Any]:
        """The client's method for a verb and a kind, but for the object's name or body."""
        api, space = self._api, self._api.namespace
        ray = (RAY_GROUP, "v1", space, "rayjobs")
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("create", "RayJob"): partial(api.custom.create_namespaced_custom_object, *ray),
            ("list", "RayJob"): partial(api.custom.list_namespaced_custom_object, *ray),
            ("read", "RayJob"): partial(api.custom.get_namespaced_custom_object, *ray),
            ("delete", "RayJob"): partial(api.custom.delete_namespaced_custom_object, *ray),
            ("create", "ConfigMap"): partial(api.core.create_namespaced_config_map, space),
            ("read", "ConfigMap"): partial(api.core.read_namespaced_config_map, namespace=space),
            ("delete", "ConfigMap"): partial(api.core.delete_namespaced_config_map, namespace=space),
            ("create", "PodDisruptionBudget"): partial(api.policy.create_namespaced_pod_disruption_budget, space),
            ("read", "PodDisruptionBudget"): partial(api.policy.read_namespaced_pod_disruption_budget, namespace=space),
            ("delete", "PodDisruptionBudget"): partial(
                api.policy.delete_namespaced_pod_disruption_budget, namespace=space
            ),
        }
        return known[verb, kind]


def _node(group: Manifest) -> Node:
    """A worker pod of a RayCluster's group, as a node of Ray."""
    limits = worker_limits(group)
    return Node(quantity(limits.get("cpu", "0")), float(limits.get(GPU, 0)))


def _submitter(pods: list[Manifest]) -> Manifest | None:
    """The newest pod that handed the job in."""
    ours = [pod for pod in pods if pod["metadata"]["labels"].get(COMPONENT) == SUBMITTER]
    return max(ours, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), default=None)


def _has_started(pod: Manifest) -> bool:
    return pod.get("status", {}).get("phase") in ("Running", "Succeeded", "Failed")


def _lines(response: Any) -> Iterator[str]:
    """The lines of a response as they come; the last one may lack its end."""
    rest = b""
    for chunk in response.stream(CHUNK):
        *whole, rest = re.split(rb"\r?\n", rest + chunk)
        yield from (line.decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")
