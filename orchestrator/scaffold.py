"""`i2i-cluster init`: a sweep file to start from, for a system of the catalogue or, with a first text, for one of your own."""

from __future__ import annotations

from pathlib import Path

from orchestrator.checks import find_system
from orchestrator.errors import Refusal
from orchestrator.systems_pages import searches
from trainers import systems
from trainers.scores import available, everything
from trainers.settings import Reads

TEMPLATE = Path(systems.__file__).parent / "my_gan.py"  # a system like the others, and in no catalogue
RATE = {"hyper.lr": (1e-4, 1e-3)}
OWN_SYSTEM = "my_gan.py:MyGAN"
HEAD = """# {title}
#   i2i-cluster shards build openmoji shards/openmoji --size 64     (or your own: i2i-cluster shards build --help)
#   i2i-cluster plan {file}        what it would do
#   i2i-cluster submit {file}
name: {name}
system: {system}
data:
  uri: shards/openmoji
  image: 64
  batch: 16
{limit}steps: 2_000
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
    files = {folder / f"{stem}.yaml": _sweep(named, kind.title, stem, kind.reads, searches(kind), kind)}
    if code is not None:
        files[folder / TEMPLATE.name] = code
    for file in files:
        if file.exists():
            raise Refusal("it is there already; init overwrites nothing", file=str(file))
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
    return sorted(files)


def _sweep(system: str, title: str, stem: str, reads: Reads, axes: dict[str, tuple[float, float]], kind: type) -> str:
    score = next(iter(available(kind, everything(kind))), None)
    first = next(iter(kind.terms)).name  # type: ignore[attr-defined]
    limit = "".join(f"  limit: {{{domain}: 1}}         # the one picture\n" for domain in reads.alone)
    return HEAD.format(
        title=title.rstrip(".") + ".",
        file=f"{stem}.yaml",
        name=stem.replace("_", "-"),
        system=system,
        limit=limit,
        why="the losses that are worth searching" if axes else "no loss is worth searching; the learning rate is",
        axes="".join(
            f"  {axis}: {{log_uniform: [{low:g}, {high:g}]}}\n" for axis, (low, high) in (axes or RATE).items()
        ),
        metric=f'"{score.metric}"' if score else f"loss/{first}",
        mode=score.mode if score else "min",
    )
