"""What `doctor` finds out about a namespace for sweeps: the way there, rights, what the sweep names, clocks. It makes nothing.

Whether all objects of a sweep would be taken is asked of the API server itself, which tries them without storing them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ray

from cluster.clock import clock_finding, date_of
from cluster.finding import Finding
from cluster.targets.kubernetes_api import Api
from cluster.targets.kubernetes_checks import check_site
from cluster.targets.kubernetes_manifests import manifests
from cluster.targets.kubernetes_site import RAY_VERSION, Manifest, Site
from cluster.targets.kubernetes_survey import survey
from cluster.targets.target import Need, Parcel, TargetError

PARCEL = Parcel("doctor", "doctor", "{}", ("--expect", "doctor"))
READ = "do what the line says (docs/kubernetes.md, When it does not start)"
SAME = "install the i2i-cluster here that the image has, or name an image of this one"


def examine(api: Api, site: Site, tried: Callable[[Manifest], Manifest]) -> Iterator[Finding]:
    """What was found, up to what makes the rest pointless. tried: an object as the API server would store it."""
    try:
        version, headers = api.answer(api.version.get_code)
    except TargetError as error:
        yield Finding("cluster: way", False, str(error), READ)
        return
    yield Finding("cluster: way", True, f"{api.place}, Kubernetes {version.get('gitVersion', '?')}")
    yield clock_finding("cluster: clock", date_of(headers), "the API server's")
    try:
        check_site(api, site)
    except TargetError as error:
        yield Finding("cluster: names", False, str(error), READ)
        return
    yield Finding(
        "cluster: names", True, "namespace, account and all else that the sweep names are there, or cannot be seen"
    )
    yield _taken(api, site, tried)
    yield from _versions(site)
    found = survey(api, site, Need(1, 1, site.cpus_per_node, float(site.gpus_per_node)))
    yield from (Finding("cluster: room", False, line, "do what the line says") for line in found.short)
    yield from (
        Finding("cluster: room", None, f"not known from here: {line}", "ask whoever runs it") for line in found.unknown
    )
    if not found.short:
        yield Finding("cluster: room", True, "; ".join(found.facts.values()) or "nothing is short that can be seen")


def _taken(api: Api, site: Site, tried: Callable[[Manifest], Manifest]) -> Finding:
    """Whether the API server would take all objects of a sweep."""
    kinds = []
    try:
        for manifest in manifests(PARCEL, 1, site):
            tried(manifest)
            kinds.append(manifest["kind"])
    except TargetError as error:
        return Finding("cluster: rights", False, str(error), READ)
    return Finding("cluster: rights", True, f"you may make {', '.join(kinds)} in {api.namespace}, and they are taken")


def _versions(site: Site) -> Iterator[Finding]:
    is_same = ray.__version__ == RAY_VERSION
    yield Finding("cluster: ray", is_same, f"{RAY_VERSION} of the manifests, {ray.__version__} here", SAME)
    inside = f"python, torch and i2i-cluster of {site.image} are not known from here"
    yield Finding("cluster: image", None, inside, "run `i2i-cluster doctor STORAGE` in a pod of it")
