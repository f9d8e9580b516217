"""Plays the operator and the kubelets in the emulated API server: pods of a RayJob, and how they and the job become."""

from __future__ import annotations

from typing import Any

from tests.k8s.emulator import Emulator
from tests.k8s.operator import pods_of
from tests.k8s.validate import Object, admit


class Kubelets:
    """Drives one RayJob. Every pod it makes is held against the schemas first."""

    def __init__(self, emulator: Emulator, job: str) -> None:
        self._emulator, self._job = emulator, job
        self.pods: dict[str, str] = {}  # component -> name

    def start(self) -> None:
        """The operator takes the job and makes its pods; none of them runs yet."""
        self.status(jobDeploymentStatus="Initializing", rayClusterName=f"{self._job}-abcde")
        for pod in pods_of(self._emulator.get("rayjobs", self._job)):
            assert admit(pod)[1] == []
            pod["status"] = {"phase": "Pending"}
            self._emulator.put(pod)
            self.pods[pod["metadata"]["labels"]["app.kubernetes.io/component"]] = pod["metadata"]["name"]

    def run(self) -> None:
        """The driver runs, and what it prints is that pod's log."""
        for component in self.pods:
            self.pod(component, phase="Running")
        self.status(jobDeploymentStatus="Running", jobStatus="RUNNING")

    def end(self, driver: str = "SUCCEEDED", message: str = "", **status: str) -> None:
        """The driver ends, and with it the pod that printed for it."""
        self._emulator.prints(self.pods["submitter"], ended=True)
        failed = driver == "FAILED"
        self.pod("submitter", phase="Failed" if failed else "Succeeded")
        told = (
            {"jobDeploymentStatus": "Failed", "reason": "AppFailed"} if failed else {"jobDeploymentStatus": "Complete"}
        )
        self.status(jobStatus=driver, message=message, **told | status)

    def prints(self, *lines: str) -> None:
        """The driver prints."""
        self._emulator.prints(self.pods["submitter"], *lines)

    def status(self, **status: str) -> None:
        """Change the RayJob's status."""

        def change(job: Object) -> None:
            job.setdefault("status", {}).update(status)

        self._emulator.change("rayjobs", self._job, change)

    def pod(self, component: str, **status: Any) -> None:
        """Change a pod's status."""

        def change(pod: Object) -> None:
            pod["status"] = status

        self._emulator.change("pods", self.pods[component], change)

    def waiting(self, component: str, reason: str, message: str) -> None:
        """A pod's first container cannot be started."""
        image = self._emulator.get("pods", self.pods[component])["spec"]["containers"][0]["image"]
        state = {"image": image, "state": {"waiting": {"reason": reason, "message": message}}}
        self.pod(component, phase="Pending", containerStatuses=[state])
