"""What `doctor` says of a sweep's cluster and of its data."""

from __future__ import annotations

from cluster.finding import Finding
from cluster.targets.target import TargetError
from orchestrator.errors import Refusal
from orchestrator.planning.data import open_manifest
from orchestrator.sweep_file.cluster import Cluster
from orchestrator.sweep_file.quantities import size_text
from orchestrator.sweep_file.sweep import Sweep
from orchestrator.targets import target_of

READ = "do what the line says (docs/clusters.md)"


def examine_cluster(cluster: Cluster, sweep: Sweep | None, probe: str | None) -> list[Finding]:
    """What was found out about the cluster; nothing of this machine. sweep: what is to run there, where there is one.

    probe: a storage that a job is to try out from there; None: no job is made.
    """
    try:
        return list(target_of(cluster, sweep).examine(probe))
    except TargetError as error:
        return [Finding("cluster: way", False, str(error), READ)]


def examine_data(sweep: Sweep) -> list[Finding]:
    """Whether the data of the sweep can be listed and read from here."""
    uri = sweep.data.uri
    if sweep.data.mode == "stream":
        return [Finding("data", None, f"{uri} has no index: `i2i-cluster plan` looks at its first pictures", "run it")]
    try:
        manifest = open_manifest(uri)
    except (Refusal, OSError) as error:
        told = error.problem if isinstance(error, Refusal) else str(error)
        return [Finding("data", False, " ".join(told.splitlines()), "name other data, or mend what the line says")]
    size = size_text(sum(shard.bytes for shard in manifest.shards.values()))
    return [Finding("data", True, f"{uri}: {manifest.name}, {len(manifest.shards)} shards of {size}")]
