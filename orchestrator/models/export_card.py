"""The model card that lies beside an exported model: what it is, how it is called, what it was trained on, how good it is.

Everything in it is known to the sweep. What only its author knows is left open by name, not made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.model import Model
from cluster.model_export import OUTPUT, Exported
from cluster.model_use import Maker
from data_shards.errors import DataError
from data_shards.manifest import Manifest
from orchestrator.finding import FoundSweep
from orchestrator.models.model import label_names
from orchestrator.results.outcome import judge
from orchestrator.results.wording import seeds_text, spread_text

SAMPLES = "eval/samples"
SCORE = "eval/"
OPEN = "*not stated; whoever publishes this model says it here*"
UNKNOWN = "not known: the data set says none, or is not where it was"
SAID = {
    "picture": "the picture to translate, values in [-1, 1]: a level of 0 to 255 is `level / 127.5 - 1`",
    "code": "which of the many outputs: draw it as below, the same code is the same style",
    "label": "what the picture is to be, 0 or 1 for each of the names below",
}


@dataclass(frozen=True)
class Written:
    """What the file is: its name, its format, its sha256, and up to what difference it was accepted."""

    name: str
    form: str
    sha256: str
    tolerance: float
    without_dropout: bool


def model_card(sweep: FoundSweep, model: Model, maker: Maker, exported: Exported, written: Written) -> str:
    """The card as Markdown."""
    sections = [
        _head(model, maker, written),
        _calling(model, maker, exported, written),
        _training(sweep, model),
        _data(sweep, model),
        _scores(sweep, model),
        _left_open(),
    ]
    return "\n\n".join(sections) + "\n"


def license_of(sweep: FoundSweep, model: Model) -> str:
    """What users of the training data must be told; empty where nobody knows."""
    logged = str((sweep.state.about.get("data") or {}).get("license") or "")
    if logged:
        return logged
    data = model.card["run"]["data"]
    try:
        manifest = Manifest.open(data["uri"])
    except (DataError, OSError):
        return ""
    return manifest.head.license if manifest.sha256 == data["manifest"] else ""


def _head(model: Model, maker: Maker, written: Written) -> str:
    system, run = model.system, model.card["run"]
    source = f"pictures of `{maker.source}`" if maker.source else "noise"
    kind = f"{run['system']}: {system.title} ({system.citation})" if "citation" in dir(system) else str(run["system"])
    return f"# {written.name}\n\nPictures of `{maker.way.target}` from {source}, by {kind}.\nTrained with i2i-cluster."


def _calling(model: Model, maker: Maker, exported: Exported, written: Written) -> str:
    rows = [(f"`{name}`", f"`{_shape(shape)}`", SAID[name]) for name, shape in exported.inputs.items()]
    channels, height, width = model.shapes[maker.way.target]
    rows.append(
        (f"`{OUTPUT}`", f"`{_shape(['batch', channels, 'height', 'width'])}`", "the picture, in the same range")
    )
    lines = ["## How it is called", "", _table(("name", "shape, float32", "what it is"), rows), ""]
    if maker.multiple is not None and maker.source:
        lines.append(f"Sides are multiples of {maker.multiple}; it was trained with {height} x {width} pixels.")
    if maker.code:
        cube = "uniform in a cube" if maker.way.bounded else "drawn as in training, from N(0, I) or its sphere"
        lines.append(f"A code has {maker.code} numbers, {cube}.")
    if maker.labels:
        lines.append(f"The labels, in order: {', '.join(label_names(model, maker))}.")
    if written.without_dropout:
        lines.append(
            "The network was trained with dropout as its noise and is exported without: its pictures are not "
            "those of `i2i-cluster translate`, which draws it."
        )
    lines.append(
        f"`{written.name}` ({written.form}, sha256 `{written.sha256}`) was compared with the model on {exported.pictures} "
        f"inputs: outputs differ by {exported.worst:.2g} at most, and {written.tolerance:.2g} was allowed."
    )
    return "\n".join(lines)


def _training(sweep: FoundSweep, model: Model) -> str:
    card, run = model.card, model.card["run"]
    averaged = "averaged over the steps (EMA)" if run["hyper"].get("ema") else "those of the last step"
    rows = [
        ("sweep", f"{sweep.state.name} ({sweep.state.id}), trial {card['trial']}"),
        ("step", f"{card['step']} of {run['steps']}, batch {run['data']['batch']}, seed {run['seed']}"),
        ("weights", averaged),
        ("training state", f"SHA-256 `{card['digest']}` (`i2i-cluster checkpoints digest`)"),
        ("loss weights", _settings(run["weights"])),
        ("settings", _settings(run["hyper"])),
    ]
    return "## Training\n\n" + _table(("", ""), rows)


def _data(sweep: FoundSweep, model: Model) -> str:
    data = model.card["run"]["data"]
    rows = [
        ("address", f"`{data['uri']}`"),
        ("manifest", f"SHA-256 `{data['manifest']}`: it names every picture by its checksum"),
        ("read at", f"{data['image']} x {data['image']} pixels"),
        ("licence and attribution", license_of(sweep, model) or UNKNOWN),
    ]
    return "## Data\n\n" + _table(("", ""), rows)


def _scores(sweep: FoundSweep, model: Model) -> str:
    evaluation: Mapping[str, float] = model.card["evaluation"] or {}
    count = evaluation.get(SAMPLES)
    n = "" if count is None else f"{count:.0f}"
    rows = [(f"`{name}`", f"{value:.4g}", n) for name, value in sorted(evaluation.items()) if name.startswith(SCORE)]
    rows = [row for row in rows if row[0] != f"`{SAMPLES}`"]
    lines = ["## Scores", "", "Of this training, on validation pictures, at its last evaluation.", ""]
    lines += [_table(("score", "value", "pictures, at most"), rows) if rows else "It was never evaluated.", ""]
    trial = sweep.state.trials.get(model.card["trial"])
    if sweep.state.about and trial is not None:
        found = judge(sweep.state)
        one = next((one for one in found.ranking if one.setting == trial.setting), None)
        if one is not None and one.is_judged:
            told = [
                f"`{goal.metric}` {spread_text(mean, spread)}"
                for goal, mean, spread in zip(found.goals, one.means, one.spreads, strict=True)
            ]
            several = "mean ± sample standard deviation over seeds" if len(one.trials) > 1 else "no spread is known"
            lines.append(
                f"Of its setting at step {one.step}: {', '.join(told)}; trainings: {seeds_text(one)}, {several}."
            )
    return "\n".join(lines).rstrip()


def _left_open() -> str:
    names = ("licence of the weights", "intended use", "not intended for", "known limits and biases", "contact")
    return "## For its author to say\n\n" + "\n".join(f"- {name}: {OPEN}" for name in names)


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"


def _shape(shape: Sequence[str | int]) -> str:
    return " x ".join(map(str, shape))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """What others wrote stays in its cell."""
    return " ".join(text.split()).replace("|", "\\|")
