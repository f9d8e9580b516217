"""`doctor`: whether this machine and a storage can do what a sweep needs of them, and how to mend what cannot.

Each check is a function of the storage's address that returns its findings; `CHECKS` lists them. The surprise is how little they
import: what may be broken, torch above all, is asked for its version before anything needs it.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Any

from cluster.finding import Finding
from cluster.memory import free_memory
from orchestrator.sweep_file.quantities import size_text

NAME = "i2i-cluster"
DECISIVE = ("torch", "ray")  # of the packages, these have a line of their own
LEAST_MEMORY = 10**9  # bytes: Ray and one small trial
LEAST_SHARED = 128 * 10**6  # bytes: Ray's object store as we start it, with room for what else is shared
LEAST_DISK = 10**9  # bytes
# Ray's sockets lie below its temporary folder, and the path of a socket is 107 bytes at most.
LONGEST_TEMPORARY = 107 - len("/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?(?:>=([0-9.]+))?")
SHARED = Path("/dev/shm")
STATES: Mapping[bool | None, str] = {True: "ok", False: "problem", None: "not known"}


def examine(storage: str) -> list[Finding]:
    """What every check found, in order."""
    return [finding for check in CHECKS for finding in check(storage)]


def describe_findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The findings as JSON-able values; `mend` is null where all is well, and `ok` where nobody knows."""
    return [{**asdict(finding), "mend": None if finding.ok else finding.mend} for finding in findings]


def rows_of(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """The findings for people, a row each."""
    return [
        {
            "check": finding.check,
            "": STATES[finding.ok],
            "found": finding.found,
            "to mend it": "" if finding.ok else finding.mend,
        }
        for finding in findings
    ]


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether none of them is a problem; what nobody knows is none."""
    return all(finding.ok is not False for finding in findings)


def check_python(storage: str) -> list[Finding]:
    """The version of Python against the one that this package asks for."""
    least = str(metadata(NAME)["Requires-Python"]).removeprefix(">=") if _version(NAME) else ""
    here = platform.python_version()
    return [Finding("python", not _is_older(here, least), here, f"install Python {least} or newer")]


def check_packages(storage: str) -> list[Finding]:
    """The packages that are installed against the ones that this one asks for."""
    if not _version(NAME):
        return [Finding("packages", False, f"{NAME} is not installed here", MENDS["packages"])]
    matches = (REQUIREMENT.match(line) for line in requires(NAME) or () if ";" not in line)  # with one: of an extra
    wanted = {match[1]: match[2] or "" for match in matches if match}
    problems = {name: _problem(name, least) for name, least in wanted.items()}
    found = [
        Finding(name, not problems[name], problems[name] or _version(name), f"pip install '{name}>={wanted[name]}'")
        for name in DECISIVE
    ]
    others = [problem for name, problem in problems.items() if name not in DECISIVE and problem]
    told = ", ".join(others) or f"{len(wanted) - len(DECISIVE)} others are there"
    return [Finding(NAME, True, _version(NAME)), *found, Finding("packages", not others, told, MENDS["packages"])]


def check_machine(storage: str) -> list[Finding]:
    """What a sweep would see of this machine; also whether torch can be loaded at all."""
    try:
        from cluster.provenance import provenance
        from orchestrator.planning.sizes import this_machine
    except (ImportError, OSError) as error:  # OSError: a library below torch is missing
        return [Finding("processors", False, f"torch cannot be loaded: {error}", MENDS["packages"])]
    machine = this_machine()
    cpus = Finding("processors", machine.cpus >= 1, f"{machine.cpus:g} CPUs", "give the container at least one CPU")
    if not machine.gpus:
        return [cpus, Finding("GPUs", True, "none: trials run on CPUs")]
    usable = provenance()["gpus"]
    named = ", ".join(usable) or "none"
    seen = f"{machine.gpus} in /dev, torch {_version('torch')} can use {len(usable)}: {named}"
    return [cpus, Finding("GPUs", len(usable) >= machine.gpus, seen, MENDS["GPUs"])]


def check_memory(storage: str) -> list[Finding]:
    """Free memory, of the machine or of the container."""
    free = free_memory()
    return [Finding("memory", free >= LEAST_MEMORY, f"{size_text(free)} free", MENDS["memory"])]


def check_shared_memory(storage: str) -> list[Finding]:
    """/dev/shm, through which the processes of a node talk."""
    free = shutil.disk_usage(SHARED).free if SHARED.is_dir() else 0
    return [Finding(str(SHARED), free >= LEAST_SHARED, f"{size_text(free)} free", MENDS["shm"])]


def check_temporary(storage: str) -> list[Finding]:
    """The folder where Ray keeps its sockets and logs."""
    folder = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    length = len(os.fsencode(folder.rstrip("/")))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        return [Finding("temporary folder", False, f"{folder} is no folder that may be written", MENDS["temporary"])]
    if length > LONGEST_TEMPORARY:
        told = f"{folder} has {length} characters, and Ray's sockets leave room for {LONGEST_TEMPORARY}"
        return [Finding("temporary folder", False, told, MENDS["temporary"])]
    free = shutil.disk_usage(folder).free
    return [Finding("temporary folder", free >= LEAST_DISK, f"{folder}: {size_text(free)} free", MENDS["disk"])]


def check_network(storage: str) -> list[Finding]:
    """By what the workers of a trial talk on GPUs, and by which network interface."""
    try:
        from cluster.network import interfaces, nccl_version
        from orchestrator.doctor.network import choice_finding, nccl_finding
        from orchestrator.planning.sizes import this_machine

        nccl = nccl_version()
    except (ImportError, OSError):
        return []  # torch cannot be loaded, which was told
    return [nccl_finding(nccl, this_machine().gpus), *choice_finding(interfaces())]


def check_storage(storage: str) -> list[Finding]:
    """Whether the storage does what logs, checkpoints and drivers need of it."""
    from orchestrator.doctor.storage import examine_storage

    steps = examine_storage(storage, LEAST_DISK)
    return [Finding(f"storage: {one.name}", not one.problem, one.problem or one.told, one.mend) for one in steps]


CHECKS: tuple[Callable[[str], list[Finding]], ...] = (
    check_python,
    check_packages,
    check_machine,
    check_memory,
    check_shared_memory,
    check_temporary,
    check_network,
    check_storage,
)
MENDS: Mapping[str, str] = {
    "packages": "pip install --constraint constraints.txt . (README.md, Installing by hand)",
    "GPUs": "install a torch that was built for this CUDA driver, and set CUDA_VISIBLE_DEVICES to what is to be used",
    "memory": f"end other programs, or give the container {size_text(LEAST_MEMORY)} more",
    "shm": "docker run --shm-size=1g; in Kubernetes an emptyDir with medium: Memory at /dev/shm",
    "temporary": f"set RAY_TMPDIR to a folder of at most {LONGEST_TEMPORARY} characters, such as /tmp",
    "disk": f"free {size_text(LEAST_DISK)} there, or set RAY_TMPDIR to a folder on a larger disk",
}


def _version(name: str) -> str:
    """The version that is installed, empty where none is."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _problem(name: str, least: str) -> str:
    here = _version(name)
    if not here:
        return f"{name} is not installed"
    return f"{name} {here} is older than {least}" if _is_older(here, least) else ""


def _is_older(here: str, least: str) -> bool:
    """By their numbers, as many as `least` has; what follows them names a build."""
    wanted = [int(number) for number in re.findall(r"\d+", least)]
    have = [int(number) for number in re.findall(r"\d+", here)][: len(wanted)]
    return have < wanted
