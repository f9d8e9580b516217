"""`i2i-cluster systems check`: every promise that a system must keep, tried on noise, and told as it is found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import Refusal
from orchestrator.planning.checks import find_system
from orchestrator.saying import say
from orchestrator.sweep_file.fields import check_fields
from orchestrator.sweep_file.yaml_file import parse_yaml
from orchestrator.systems.own_code import read_code
from orchestrator.tables import print_json
from trainers.errors import SettingError
from trainers.settings import OWN


def check_system(system: str, image: int, settings: Sequence[str], as_json: bool) -> bool:
    """Print what comes of each check of the system `system`, FILE.py:CLASS or a name; says whether all of them hold.

    settings: `name=value` of `hyper`, in place of the system's own. Raises Refusal where it cannot be checked at all.
    """
    from cluster.conformance import Subject, check, shapes_of
    from cluster.kinds import kind_of

    match = OWN.fullmatch(system)
    code = read_code(Path(match["file"]), system) if match else None
    kind = find_system(system, code)
    hyper = _settings(settings)
    if wrong := check_fields(kind.Hyper, hyper, "--set"):
        raise wrong[0]
    found, holds = [], True
    for run in Subject(system, code or "", image, hyper).runs():
        one = kind_of(run)
        try:
            one.check(shapes_of(run), one.Hyper(**run.hyper))
        except SettingError as error:
            part, _, name = error.path.partition(".")
            path = f"--set {name}" if part == "hyper" else f"--{name}"  # the other one is data.image
            raise Refusal(error.problem, path=path, value=error.value) from error
        for promise, wrong_with in check(run):
            holds = holds and not wrong_with
            found.append({"stage": run.stage, "promise": promise.name, "says": promise.says, "broken": wrong_with})
            if not as_json:
                stage = f"stage {run.stage}: " if run.stage else ""
                say(
                    f"{'broken' if wrong_with else 'kept  '}  {stage}{promise.says}{': ' if wrong_with else ''}{wrong_with}"
                )
    if as_json:
        print_json({"system": system, "holds": holds, "promises": found})
    return holds


def _settings(given: Sequence[str]) -> dict[str, Any]:
    """`width=8` -> {"width": 8}, values as a sweep file has them."""
    found: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise Refusal("give NAME=VALUE, such as width=8", path="--set", value=one)
        found |= parse_yaml(f"{name}: {value}", "--set")
    return found
