"""A page of Markdown for each system, and their index, made from the declarations: docs/systems/ holds them.

Only what stands between the marks is written by hand (what was measured), and making a page again keeps it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.sweep_file.sweep import DEFAULT_PRESET
from orchestrator.sweep_file.yaml_file import read_yaml
from orchestrator.systems.costs import costs_table
from orchestrator.systems.paper import read_paper
from orchestrator.systems.view import find_system, with_costs
from orchestrator.tables import words
from trainers.settings import Balance
from trainers.system import System
from trainers.systems.catalog import SYSTEMS

INDEX = "README.md"
BEGIN, END = "<!-- learns: begin -->", "<!-- learns: end -->"
UNMEASURED = "Not measured yet."
COUNTED = (
    "Counted, not measured, with the default settings: what weights, gradients, moments, averages and image histories take, and "
    "what is alive at once of all that a step makes, a tenth more of it. More samples at a time take more of the latter."
)
ARXIV = re.compile(r"arXiv:[0-9.]+[0-9]")
ROOT = "../.."  # of the repository, seen from a page

INDEX_HEAD = f"""# The systems

One paper is one file in [trainers/systems]({ROOT}/trainers/systems). These pages are made from what those files declare
(`i2i-cluster systems --markdown docs/systems`); `i2i-cluster systems NAME` prints the same. A sweep file names a system, a
preset of it where one is meant, and the settings in which it differs: [the sweep file](../sweep-file.md). Written by hand is only
what a page says under "What it learns".

"""


def write_pages(folder: Path, names: Iterable[str] | None = None) -> list[Path]:
    """Write the pages of the systems `names` (None: all), and the index of all systems, into `folder`. Returns the files.

    A page that is there keeps what stands between its marks. Links are those of docs/systems in a repository.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = {folder / INDEX: index()}
    pages |= {
        (file := folder / f"{name}.md"): page(name, measured(file), examples(folder, name)) for name in names or SYSTEMS
    }
    for file, text in pages.items():
        file.write_text(text, encoding="utf-8")
    return list(pages)


def measured(file: Path) -> str:
    """What stands between the marks of the page in `file`, which need not be there."""
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    found = re.search(f"{BEGIN}\n(.*?){END}", old, re.DOTALL)
    return found[1].strip("\n") if found else UNMEASURED


def examples(folder: Path, name: str) -> list[Path]:
    """The sweep files in `examples/` of the repository that train the system `name`."""
    return [file for file in sorted((folder / ROOT / "examples").glob("*.yaml")) if read_yaml(file)["system"] == name]


def index() -> str:
    """The page of all systems."""
    rows = [
        {
            "system": f"[{name}]({name}.md)",
            "": _in_a_line(system),
            "reads": find_system(name)["reads"],
            "paper": _linked(system.citation),
        }
        for name, system in SYSTEMS.items()
    ]
    return INDEX_HEAD + _table(rows)


def page(name: str, learns: str, sweeps: Sequence[Path]) -> str:
    """The page of the system `name`. learns: what was measured. sweeps: the examples that train it."""
    system, told = SYSTEMS[name], with_costs(find_system(name))
    source = f"{system.__module__.replace('.', '/')}.py"
    papers = _linked(", ".join(ARXIV.findall(system.citation)))
    scores = ", ".join(f"`{score}`" for score in told["scores"])
    parts = [
        f"# {name}\n\n{_in_a_line(system)}",
        _prose(read_paper(system).cited),
        f"{papers + '; here' if papers else 'Here'} [{source}]({ROOT}/{source}).",
        f"Reads {told['reads']}."
        + (f" [Scores](../scores.md), where there is what they need: {scores}." if scores else ""),
        f"## Objective\n\n```\n{told['objective']}\n```",
        told["notes"],
        f"## Losses: `weights.*`\n\n{_table([_term(term) for term in told['terms']])}",
        f"## Presets: `preset: NAME`\n\n{_presets(told['presets'])}" if system.presets else "",
        f"## Settings: `hyper.*`\n\n{_table([_field(field) for field in told['hyper']])}",
        f"## Balance: `balance.*`\n\n{_balance(system)}",
        f"## What a step takes\n\n{COUNTED}\n\n{_table(costs_table(told['costs']))}" if told["costs"] else "",
        f"## A sweep to start from\n\n{start}" if (start := _sweep(system, sweeps)) else "",
        f"## What it learns\n\n{BEGIN}\n{learns}\n{END}",
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def searches(system: type[System]) -> dict[str, tuple[float, float]]:
    """Axis -> range of every weight worth searching under the system's defaults; a group that agrees is one axis.

    None of a stage's: each of its values would have the stage trained anew.
    """
    terms = system.in_force(system.Hyper())
    found = {}
    for term in terms:
        kin = {(other.search, other.weight) for other in terms if other.group and other.group == term.group}
        if term.search:
            found[f"weights.{term.group if len(kin) == 1 else term.name}"] = term.search
    return found


def _term(term: Mapping[str, Any]) -> dict[str, str]:
    times = f" x `weights.{term['times']}`" if term["times"] else ""
    return {
        "term": f"`{term['term']}`",
        "symbol": _prose(term["symbol"]),
        "default": words(term["default"]) + times,
        "worth trying": " to ".join(map(words, term["search"])),
        "meaning": _prose(term["meaning"]),
        "other names": ", ".join(f"`{name}`" for name in term["also"]),
        "exists": _prose(term["exists"] or "always"),
    }


def _presets(presets: Sequence[Mapping[str, Any]]) -> str:
    rows = [{"preset": f"`{DEFAULT_PRESET}`", "meaning": "the defaults of this page", "changes": ""}]
    for preset in presets:
        changes = ", ".join(f"`{key}: {words(value) or 'null'}`" for key, value in preset["changes"].items())
        rows.append({"preset": f"`{preset['preset']}`", "meaning": _prose(preset["meaning"]), "changes": changes})
    return _table(rows)


def _field(field: Mapping[str, Any]) -> dict[str, str]:
    low, high = words(field["min"]), words(field["max"])
    choices = field["choices"] or ([True, False] if isinstance(field["default"], bool) else [])
    span = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}" if high else ""
    return {
        "setting": f"`{field['setting']}`",
        "default": f"`{words(field['default'])}`" if field["default"] is not None else "",
        "may be": ", ".join(f"`{words(choice)}`" for choice in choices) or span,
        "meaning": _prose(field["meaning"]),
    }


def _balance(system: type[System]) -> str:
    usual = vars(Balance())
    own = ", ".join(f"`{key}: {words(value)}`" for key, value in vars(system.balance).items() if value != usual[key])
    told = f"The paper's own: {own}." if own else "The paper sets nothing here."
    return f"{told} What there is to set is the same for every system: [the sweep file](../sweep-file.md)."


def _sweep(system: type[System], sweeps: Sequence[Path]) -> str:
    links = [f"- [examples/{file.name}]({ROOT}/examples/{file.name}): {_prose(_opening(file))}" for file in sweeps]
    axes = [f"  {axis}: {{log_uniform: [{low:g}, {high:g}]}}" for axis, (low, high) in searches(system).items()]
    block = ["The weights worth searching:", "", "```yaml", f"system: {system.name}", "search:", *axes, "```"]
    return "\n".join([*links, *([""] if links and axes else []), *(block if axes else [])])


def _opening(file: Path) -> str:
    """The first sentence of the comment that a sweep file begins with."""
    said = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# ") or line.startswith("#  "):  # further in: a command
            break
        said.append(line[2:])
    return re.split(r"(?<=\.)\s", " ".join(said))[0]


def _in_a_line(system: type[System]) -> str:
    return _prose((inspect.getdoc(system) or "").partition("\n")[0])


def _linked(citation: str) -> str:
    return ARXIV.sub(
        lambda found: f"[{found[0]}](https://arxiv.org/abs/{found[0].partition(':')[2]})", _prose(citation)
    )


def _prose(text: str) -> str:
    """Text as Markdown shows it as it is, also in a table."""
    return re.sub(r"([|*<])", r"\\\1", text)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([words(value) for value in row.values()] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
