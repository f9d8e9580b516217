"""`k8s render` and `k8s diff`, and a submit by the command line, against the emulated API server and real kubectl."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from data_shards.address import join
from data_shards.build.digits import build_digits
from orchestrator.cli import main
from orchestrator.manifests.manifest_yaml import to_yaml
from tests.k8s.built import KUBECTL, sweep
from tests.k8s.validate import ROOT, admit

SWEEP = """
name: digits
system: cyclegan
data: {{uri: "{data}", image: 32}}
steps: 10
storage: "{runs}"
resources: {{workers: 2}}
budget: {{wall: 2h}}
cluster:
  kubernetes:
    image: registry.example.com/i2i-cluster:0.1.0-cpu
    namespace: i2i
    nodes: [1, 4]
    cpus_per_node: {cpus}
"""


@pytest.fixture(name="file")
def file_fixture(bucket, tmp_path):
    build_digits(join(bucket, "digits"), size=32)
    return write(tmp_path, bucket)


def write(folder: Path, bucket: str, cpus: int = 4) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(SWEEP.format(data=join(bucket, "digits"), runs=join(bucket, "runs"), cpus=cpus))
    return path


@pytest.fixture(name="cli")
def cli_fixture(emulator, tmp_path, monkeypatch, capsys):
    """The command line, in this process, with the emulated server as its cluster."""
    monkeypatch.setenv("KUBECONFIG", str(emulator.kubeconfig(tmp_path / "kubeconfig")))
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["i2i-cluster", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return SimpleNamespace(returncode=ended.value.code or 0, stdout=said.out, stderr=said.err)

    return run


def kubectl(emulator, folder, *words, text=None):
    environment = os.environ | {"KUBECONFIG": str(emulator.kubeconfig(folder / "kubectl")), "HOME": str(folder)}
    return subprocess.run([KUBECTL, *words], env=environment, input=text, capture_output=True, text=True, check=False)


def test_what_is_rendered_is_what_is_submitted(emulator, cli, file, bucket, tmp_path):
    rendered = cli("k8s", "render", file)
    assert rendered.returncode == 0, rendered.stderr
    objects = list(yaml.safe_load_all(rendered.stdout))
    assert [one["kind"] for one in objects] == ["RayJob", "ConfigMap", "PodDisruptionBudget"]
    assert [admit(one)[1] for one in objects] == [[], [], []]
    assert json.loads(cli("k8s", "render", file, "-o", "json").stdout)["items"] == objects
    assert objects[0]["spec"]["activeDeadlineSeconds"] == 3 * (2 + 1) * 3600
    held = json.loads(objects[1]["data"]["sweep.yaml"])
    assert (held["cluster"], held["steps"]) == ("local", 10)

    first = cli("k8s", "diff", file)
    assert first.returncode == 1, first.stderr
    assert first.stdout.startswith("--- kubernetes test/i2i: RayJob/i2i-")
    assert not any(line.startswith("-") for line in first.stdout.splitlines() if not line.startswith("---"))
    assert emulator.all("rayjobs") == [], "to look makes nothing"

    submitted = cli("submit", file, "--detach")
    assert submitted.returncode == 0, submitted.stderr
    (job,) = emulator.all("rayjobs")
    assert (
        job["metadata"]["annotations"]["i2i-cluster/content"]
        == objects[0]["metadata"]["annotations"]["i2i-cluster/content"]
    )
    again = cli("submit", file, "--detach")
    assert again.returncode == 0 and "attached to" in again.stderr
    assert len(emulator.all("rayjobs")) == 1

    same = cli("k8s", "diff", file)
    assert (same.returncode, same.stdout) == (0, ""), same.stdout + same.stderr
    write(tmp_path, bucket, cpus=8)
    changed = cli("k8s", "diff", file)
    assert changed.returncode == 1
    assert "-                cpu: '4'" in changed.stdout and "+                cpu: '8'" in changed.stdout

    emulator.users = {}
    unknown = cli("k8s", "diff", file)
    assert unknown.returncode == 2, "that it cannot be found out is no difference"
    assert "not logged in, or no longer" in unknown.stderr


def test_kubectl_takes_what_is_rendered_and_refuses_it_with_a_typo(emulator, tmp_path):
    rendered = to_yaml(sweep("plain"))
    made = kubectl(emulator, tmp_path, "apply", "--validate=false", "-f", "-", text=rendered)
    assert made.returncode == 0, made.stderr
    assert len(emulator.all("rayjobs")) == len(emulator.all("configmaps")) == 1
    again = kubectl(emulator, tmp_path, "create", "--validate=false", "-f", "-", text=rendered)
    assert "AlreadyExists" in again.stderr
    typo = rendered.replace("preRunningDeadlineSeconds", "preRunningDeadlineSecond")
    refused = kubectl(emulator, tmp_path, "apply", "--validate=false", "-f", "-", text=typo)
    assert refused.returncode == 1
    assert "is invalid" in refused.stderr and "'preRunningDeadlineSecond' was unexpected" in refused.stderr


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("kubernetes:", "kubernets:", "cluster.kubernets: unknown key 'kubernets'; nearest: kubernetes"),
        ("nodes: [1, 4]", "nodes: [4, 1]", "cluster.kubernetes.nodes: the least comes first: [1, 4], not [4, 1]"),
        ("namespace: i2i", "namespace: I2I", "cluster.kubernetes.namespace: must be a name as Kubernetes has them"),
    ],
)
def test_a_mistake_in_the_file_is_told_like_any_other(cli, tmp_path, old, new, told):
    file = write(tmp_path, "s3://bucket?endpoint=http://127.0.0.1:9")
    file.write_text(file.read_text().replace(old, new))
    done = cli("k8s", "render", file)
    assert done.returncode == 2
    assert told in done.stderr and "Traceback" not in done.stderr


def test_a_sweep_for_this_machine_has_no_manifests(cli, tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("system: cyclegan\ndata: {uri: x, image: 32}\nsteps: 10\n")
    done = cli("k8s", "render", path)
    assert done.returncode == 2
    assert "cluster: is this machine; write cluster: {kubernetes: {image: ...}} for manifests" in done.stderr


@pytest.mark.parametrize("overlay", ["dev", "gpu-spot", "prod"])
def test_kubectl_applies_every_overlay_twice(emulator, tmp_path, overlay):
    words = ("apply", "--validate=false", "-k", ROOT / "k8s" / "overlays" / overlay)
    first = kubectl(emulator, tmp_path, *words)
    assert first.returncode == 0, first.stderr
    before = {name: dict(one["metadata"], resourceVersion="") for name, one in stored(emulator)}
    second = kubectl(emulator, tmp_path, *words)
    assert second.returncode == 0 and "created" not in second.stdout, second.stderr
    assert {name: dict(one["metadata"], resourceVersion="") for name, one in stored(emulator)} == before
    listed = kubectl(emulator, tmp_path, "get", "networkpolicies", "-o", "name")
    assert "networkpolicy.networking.k8s.io/default-deny" in listed.stdout.splitlines()


def stored(emulator):
    return [((kind, one["metadata"]["name"]), one) for kind in KINDS for one in emulator.all(kind)]


KINDS = ("namespaces", "serviceaccounts", "roles", "networkpolicies", "rayclusters", "podmonitors", "localqueues")


def test_kubectl_is_refused_a_manifest_with_a_typo(emulator, tmp_path):
    text = (
        (ROOT / "k8s" / "base" / "ray-cluster.yaml")
        .read_text()
        .replace("readOnlyRootFilesystem", "readonlyRootFilesystem")
    )
    done = kubectl(emulator, tmp_path, "apply", "--validate=false", "-f", "-", text=text)
    assert done.returncode == 1
    assert "'readonlyRootFilesystem' was unexpected" in done.stderr
