"""Of what `doctor` is asked: of a storage, of a sweep file, of a cluster, or of all three."""

from __future__ import annotations

from pathlib import Path

from cluster.finding import Finding
from orchestrator.doctor.doctor import examine
from orchestrator.errors import Refusal, refuse
from orchestrator.storage import DEFAULT_STORAGE
from orchestrator.sweep_file.cluster import Cluster
from orchestrator.sweep_file.draft import load_draft, read_draft
from orchestrator.targets import cluster_in


def examine_all(storage: str | None, file: Path | None, option: str | None, probe: bool) -> list[Finding]:
    """What every check found. option: as of `--cluster`. Raises Refusal for what is wrong with the file or the options."""
    sweep = None
    if file is not None:
        draft = load_draft(file, cluster_in(option))
        refuse(draft.found, str(file))
        sweep, cluster = draft.sweep, draft.sweep.cluster
    else:
        cluster = _cluster(option)
    if probe and cluster.address is None:
        raise Refusal(f"is for a Ray cluster, and this is {cluster.place}; name one with --cluster", path="--probe")
    place = storage or (sweep.storage if sweep else DEFAULT_STORAGE)
    found = examine(place)
    if sweep is not None or not cluster.is_local:
        from orchestrator.doctor.cluster import examine_cluster, examine_data

        found += examine_data(sweep) if sweep else []
        found += examine_cluster(cluster, sweep, place if probe else None)
    return found


def _cluster(option: str | None) -> Cluster:
    """What a `--cluster` option means by itself. Raises Refusal."""
    any_sweep = {"system": "any", "data": {"uri": "any", "image": 1}, "steps": 1}
    draft = read_draft({**any_sweep, **cluster_in(option)})
    refuse(draft.found, "--cluster")
    return draft.sweep.cluster
