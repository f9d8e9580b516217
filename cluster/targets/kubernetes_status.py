"""How a sweep's job is, from what the operator and the kubelets write about it.

A RayJob has two states: `jobStatus` is Ray's of the driver, `jobDeploymentStatus` the operator's of all around it. Neither tells
why pods do not come up; that is in the pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cluster.targets.kubernetes_site import GPU, NUMBER_LABEL, QUEUE_LABEL, Manifest
from cluster.targets.target import Job, JobState

IMAGE_TROUBLE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
CONFIG_TROUBLE = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"}
HINTS = {
    "PreRunningDeadlineExceeded": "nodes, an image or a place were not found in time; `kubectl describe pod` says which",
    "DeadlineExceeded": "it took longer than budget.wall and an hour more, each time",
    "ValidationFailed": "the operator takes no such RayJob; KubeRay 1.7 or newer is needed",
}
NO_PACKAGE = "127"  # a shell's exit code for a command that is not there


def state_of(job: Manifest) -> JobState:
    """What a RayJob's status amounts to."""
    status, spec = job.get("status", {}), job.get("spec", {})
    deployment, driver = status.get("jobDeploymentStatus", ""), status.get("jobStatus", "")
    if "deletionTimestamp" in job["metadata"]:
        return JobState.stopped
    if deployment in ("Failed", "ValidationFailed"):
        return JobState.failed
    if deployment == "Complete":
        ends = {"SUCCEEDED": JobState.done, "STOPPED": JobState.stopped}
        return ends.get(driver, JobState.failed)
    if deployment == "Suspended" and not waits_in_queue(job):
        return JobState.stopped
    running = deployment == "Running" and driver == "RUNNING" and not spec.get("suspend")
    return JobState.running if running else JobState.pending


def describe(job: Manifest, pods: Iterable[Manifest]) -> Job:
    """The job, with what there is to say of its state. pods: those of the job."""
    state = state_of(job)
    return Job(
        name=job["metadata"]["name"],
        number=number_of(job),
        state=state,
        detail=" ".join(_detail(job, state, pods).split()),
    )


def number_of(job: Manifest) -> int:
    """Which job of its sweep it is."""
    return int(job["metadata"].get("labels", {}).get(NUMBER_LABEL, 0))


def waits_in_queue(job: Manifest) -> str | None:
    """The queue that holds the job back; None where none does."""
    queue: str | None = job["metadata"].get("labels", {}).get(QUEUE_LABEL)
    return queue if job.get("spec", {}).get("suspend") else None


def troubles(pods: Iterable[Manifest]) -> Iterator[str]:
    """What keeps pods from running and does not pass by itself, with what to do."""
    for pod in pods:
        name, status = pod["metadata"]["name"], pod.get("status", {})
        for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
            waiting = container.get("state", {}).get("waiting", {})
            reason, message = waiting.get("reason", ""), waiting.get("message", "")
            if reason in IMAGE_TROUBLE:
                image = container.get("image", "?")
                yield f"pod {name}: the image {image} cannot be pulled ({reason}: {message}); see its name and who may pull it"
            elif reason in CONFIG_TROUBLE:
                yield f"pod {name}: {reason}: {message}; `kubectl describe pod {name}` tells more"


def waits(pods: Iterable[Manifest]) -> Iterator[str]:
    """What pods wait for that may still come: mostly a node."""
    for pod in pods:
        for condition in pod.get("status", {}).get("conditions", []):
            if condition.get("reason") == "Unschedulable":
                yield f"pod {pod['metadata']['name']} has no node: {condition.get('message', '')}{_asked(pod)}"


def _asked(pod: Manifest) -> str:
    """Of which GPUs a pod asks, where it does: that is what is short, mostly."""
    gpus = sum(int(one.get("resources", {}).get("limits", {}).get(GPU, 0)) for one in pod["spec"]["containers"])
    products = ", ".join(f"{key}={value}" for key, value in pod["spec"].get("nodeSelector", {}).items())
    return f" (it asks for {gpus} GPUs{' with ' + products if products else ''})" if gpus else ""


def _detail(job: Manifest, state: JobState, pods: Iterable[Manifest]) -> str:
    status, seen = job.get("status", {}), list(pods)
    reason, message = status.get("reason", ""), status.get("message", "")
    if "deletionTimestamp" in job["metadata"]:
        return "it is being deleted"
    if state is JobState.failed:
        told = [reason, message, HINTS.get(reason, "")]
        if f"exit code {NO_PACKAGE}" in message:
            told.append("the image has no i2i-cluster: build it from this repository's Dockerfile")
        return "; ".join(part for part in told if part)
    if state is JobState.pending:
        if (queue := waits_in_queue(job)) is not None:
            return f"it waits in queue {queue}"
        return next(iter([*troubles(seen), *waits(seen)]), "") or _phase(status)
    return message or ""


def _phase(status: Manifest) -> str:
    deployment = status.get("jobDeploymentStatus", "")
    if not deployment:
        return "the operator has not looked at it yet; is KubeRay running?"
    cluster = status.get("rayClusterName", "")
    return f"{deployment.lower()}{f', cluster {cluster}' if cluster else ''}"
