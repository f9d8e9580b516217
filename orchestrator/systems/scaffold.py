"""`i2i-cluster init`: a sweep file to start from, for a system of the catalogue or, with a first text, for one of your own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import Refusal
from orchestrator.planning.checks import find_system
from orchestrator.planning.data import DataFacts
from orchestrator.planning.objective import Objective, find_objective
from orchestrator.search.space import LogUniform
from orchestrator.sweep_file.sweep import read_sweep
from orchestrator.systems.pages import searches
from trainers import systems
from trainers.errors import SettingError
from trainers.scores import JUDGED
from trainers.system import System

TEMPLATE = Path(systems.__file__).parent / "my_gan.py"  # a system like the others, and in no catalogue
RATE = {"hyper.lr": (1e-4, 1e-3)}
OWN_SYSTEM = "my_gan.py:MyGAN"
SIDES = (64, 128, 256)
DIGIT_SIDE = 32
HEAD = """# {title}
#   i2i-cluster shards build {build}     (or your own: i2i-cluster shards build --help)
{prepare}#   i2i-cluster plan {file}        what it would do
#   i2i-cluster submit {file}
name: {name}
system: {system}
data:
  uri: {uri}
  image: {image}
  batch: 16
{flip}{limit}{task}steps: 2_000
search:                # {why}, evenly on a logarithmic scale
{axes}trials: 8              # the first is the system's own settings
objective: {{metric: {metric}, mode: {mode}}}
scheduler: {{asha: {{grace: 0.25}}}}
"""


def scaffold(system: str | None, folder: Path) -> list[Path]:
    """Write a sweep file for `system`, and the text of a new system where none is named; the files written.

    Raises Refusal where a file is there already, or nobody knows the system.
    """
    own = system is None
    code = TEMPLATE.read_text(encoding="utf-8") if own else None
    named = OWN_SYSTEM if system is None else system
    kind = find_system(named, code)
    stem = Path(named.partition(":")[0]).stem
    files = {folder / f"{stem}.yaml": _sweep(named, stem, kind)}
    if code is not None:
        files[folder / TEMPLATE.name] = code
    for file in files:
        if file.exists():
            raise Refusal("it is there already; init overwrites nothing", file=str(file))
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
    return sorted(files)


def _sweep(system: str, stem: str, kind: type[System]) -> str:
    """The text of a sweep file for `kind`, which the file calls `system`."""
    hyper, axes, data = kind.Hyper(), searches(kind), _data(kind)
    asks = kind.needs_task(hyper)
    objective = _objective(kind, axes or RATE, data.truth, JUDGED if asks else "")
    task = f"task-{data.name}-{JUDGED}"
    return HEAD.format(
        title=kind.title.rstrip(".") + ".",
        file=f"{stem}.yaml",
        name=stem.replace("_", "-"),
        system=system,
        build=f"{data.made_by} shards/{data.name} --size {data.image}{data.options}",
        prepare=f"#   i2i-cluster task train --data shards/{data.name} --domain {JUDGED}\n" if asks else "",
        uri=f"shards/{data.name}",
        image=data.image,
        limit="".join(f"  limit: {{{domain}: 1}}         # the one picture\n" for domain in kind.reads.alone),
        flip="  augment: {flip: false}   # a mirrored picture has another label\n" if kind.reads.sided else "",
        task=f"task: {task}     # what `task train` made\n" if asks else "",
        why="the losses that are worth searching" if axes else "no loss is worth searching; the learning rate is",
        axes="".join(
            f"  {axis}: {{log_uniform: [{low:g}, {high:g}]}}\n" for axis, (low, high) in (axes or RATE).items()
        ),
        metric=f'"{objective.metric}"',
        mode=objective.mode,
    )


def _objective(kind: type[System], ranges: Mapping[str, tuple[float, float]], truth: bool, task: str) -> Objective:
    """What judges trials that differ in these axes where the file does not say it."""
    hyper = kind.Hyper()
    reads = kind.reading(hyper)
    facts = DataFacts(
        "",
        "",
        "",
        stored={},
        train={},
        validation={},
        truth=truth and not reads.mixed,
        labelled=frozenset(reads.domains),
    )
    sweep = read_sweep({"system": kind.name, "data": {"uri": ".", "image": SIDES[0]}, "steps": 1}, "")
    axes = {key: LogUniform(*ends) for key, ends in ranges.items()}
    return find_objective(kind, sweep, axes, facts, hyper, task, searching=False)


@dataclass(frozen=True)
class _Data:
    """A data set to begin with: `shards build MADE_BY shards/NAME --size IMAGE OPTIONS`. truth: of each translation."""

    made_by: str
    name: str
    image: int
    options: str = ""
    truth: bool = True


def _data(kind: type[System]) -> _Data:
    """Emojis of the first size that suits the networks, with what the system reads of them; digits where a network is to tell
    classes apart, of which emojis have too many."""
    reads, hyper = kind.reads, kind.Hyper()
    if kind.needs_task(hyper) and not reads.paired:
        return _Data("digits", "digits", DIGIT_SIDE, truth=False)
    image = next((side for side in SIDES if _fits(kind, hyper, side)), SIDES[0])
    if reads.captioned:
        return _Data("openmoji", "captioned", image, " --texts")
    if reads.label_map:
        return _Data("openmoji", "labelled", image, " --labels")
    if reads.sided:
        return _Data("turned", "turned", image)
    return _Data("openmoji", "openmoji", image)


def _fits(kind: type[System], hyper: Any, side: int) -> bool:
    try:
        kind.check(dict.fromkeys(kind.reading(hyper).domains, (3, side, side)), hyper)
    except SettingError:
        return False
    return True
