"""A page of Markdown for each table, and their index: docs/tables holds them.

What the file of a table says is made anew each time. What was measured stands between marks, until there is something newer.
"""

from __future__ import annotations

import datetime
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.checkpoints.folder import Checkpoints
from data_shards.errors import DataError
from orchestrator.errors import Refusal
from orchestrator.literature.file import File, Full, Row, Score, Source
from orchestrator.literature.results import Result
from orchestrator.literature.show import Results, as_markdown, markdown, seconds, source
from orchestrator.literature.table import FOLDER, Table, load_table, table_names
from orchestrator.saying import say
from orchestrator.sweep_file.quantities import duration_text
from orchestrator.tables import words
from trainers.checkpoint import DamagedCheckpoint

INDEX = "README.md"
NOT_RUN = "Not run yet."
MARKS = {False: "result", True: "result at the paper's size"}
ROOT = "../.."  # of the repository, seen from a page
# Tables that the systems' sources print and that nothing here makes again: what, and why.
NOT_REMADE = {
    "pix2pix, AMT real vs fake, maps and aerial photos": "people judged; `pix2pix-losses` has the same rows by a network",
    "CycleGAN, AMT real vs fake, maps and aerial photos (CoGAN, BiGAN, SimGAN, feature loss, CycleGAN)": "people judged, "
    "and a GAN with a feature loss is no system here",
    "DistanceGAN, CelebA by a face descriptor": "pictures of people, and a network that knows faces, would have to be downloaded",
    "DistanceGAN, angles of the same cars and heads": "they are rendered, and would have to be downloaded; "
    "`distancegan-angles` has the same rows on emojis that are turned in the plane",
    "OST, style transfer tasks (seasons, Monet)": "photographs and paintings would have to be downloaded; "
    "`eval/content` and `eval/style` are the two scores for it",
    "OST, drawing tasks (facades, maps, Cityscapes)": "the pictures would have to be downloaded, and people judged a third of it",
    "Balanced style transfer, task success": "one number is printed, without an interval or the task; `task success` measures "
    "it of any sweep, such as [one of digits](../task.md#ask-whether-translations-help)",
}
HEAD = f"""# Tables of the literature

Comparisons that papers print, made again as sweeps. `i2i-cluster tables run NAME` trains the rows of
[examples/tables]({ROOT}/examples/tables)/NAME.yaml, `i2i-cluster tables show NAME` puts what came out beside the published values,
and `--write docs/tables` makes these pages. They are made for two CPU cores and an hour at most, so no value can be compared with
the one beside it: other pictures, smaller networks, another judge. What can be compared is the order of the rows. Each page says
which pairs of rows the seeds decide, for the paper or against it, and which they leave open: with two seeds only large
differences are decided. Each pair has a 95 % interval of its own (Welch's), so of many pairs a few will be decided by chance.
`--seeds N` trains more of them, `--full` at the paper's size.

A file like those makes a table of your own: `i2i-cluster tables run FILE.yaml`.

"""


def write_pages(folder: Path, which: Table, results: Results, full: bool) -> list[Path]:
    """Write the page of a table and the index into `folder`; returns the files. Raises Refusal where `folder` is a file."""
    if folder.exists() and not folder.is_dir():
        raise Refusal("is a file; name a folder", path="--write", value=str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"{folder} cannot be made: {(error.strerror or str(error)).lower()}"
        raise Refusal(problem, path="--write", value=str(folder)) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refusal(f"{folder} may not be written; give another folder", path="--write", value=str(folder))
    file, index = folder / f"{which.name}.md", folder / INDEX
    kept = {size: measured(file, size) for size in MARKS}
    if any(result.done for result in results.values()):
        kept[full] = record(which, results, full)
    elif kept[full] != NOT_RUN:
        say("nothing of it is in this storage: the page keeps what was measured before", aside=True)
    file.write_text(page(which, kept), encoding="utf-8")
    index.write_text(index_of(folder, tables_beside(which)), encoding="utf-8")
    return [file, index]


def measured(file: Path, full: bool = False) -> str:
    """What stands between the marks of the page in `file`, which need not be there."""
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    found = re.search(f"<!-- {MARKS[full]}: begin -->\n(.*?)<!-- {MARKS[full]}: end -->", old, re.DOTALL)
    return found[1].strip("\n") if found else NOT_RUN


def page(which: Table, kept: Mapping[bool, str]) -> str:
    """The page of a table; `kept`: what was measured, at either size."""
    rows = [{"row": row.title or name, **_row(row.change), "name": f"`{name}`"} for name, row in which.rows.items()]
    scores = [
        {
            "score": name,
            "measured": f"`{one.metric}`",
            "better": _better(one.mode),
            "published": _published(name, which),
        }
        for name, one in which.scores.items()
    ]
    parts = [
        f"# {which.name}",
        f"{which.title}. After {which.source.paper}, {which.source.table}.",
        f"Published: {which.source.measured}.",
        f"Here: {which.sized}",
        markdown(scores),
        markdown(rows),
        f"All else is the same for all rows: [examples/tables/{which.name}.yaml]({ROOT}/examples/tables/{which.name}.yaml). "
        f"On 2 CPUs about {duration_text(60 * which.minutes)}:",
        f"```\n{_command(which, False)}\n```",
        "## What came out",
        _marked(kept[False], False),
        "## At the paper's size",
        f"{which.full.takes or 'Not declared.'} `{_command(which, True)}`" if which.full.change else "Not declared.",
        _marked(kept[True], True),
    ]
    return "\n\n".join(parts) + "\n"


def record(which: Table, results: Results, full: bool) -> str:
    """What was measured, and by what: date, commit, time, machine."""
    made = [known for result in results.values() if (known := _made_by(result))]
    ended = max(result.sweep.state.changed for result in results.values() if result.sweep)
    day = datetime.datetime.fromtimestamp(ended, datetime.UTC).date().isoformat()
    codes = sorted(
        {f"{one['git'][:7]}{' with changes' if one.get('git_dirty') else ''}" for one in made if one.get("git")}
    )
    cpus = sorted({f"{one['cpus']} CPUs" + _gpus(one) for one in made if one.get("cpus")})
    facts = [day, f"commit {', '.join(codes)}" if codes else "", f"on {', '.join(cpus)}" if cpus else ""]
    took = f"{duration_text(seconds(results))} of training in all"
    line = f"{', '.join(filter(None, [*facts, took]))}: `{_command(which, full)}`"
    return f"{as_markdown(which, results)}\n\n{line}. Values are means and sample standard deviations over seeds."


def index_of(folder: Path, tables: Sequence[Table]) -> str:
    """The index: all tables, what is recorded of them in `folder`, and what is not made again."""
    rows = [
        {
            "table": f"[{which.name}]({which.name}.md)",
            "compares": which.title,
            "source": source(which),
            "rows": len(which.rows),
            "recorded": _recorded(measured(folder / f"{which.name}.md")),
        }
        for which in tables
        if (folder / f"{which.name}.md").exists()
    ]
    left = [{"published": what, "not made again, because": why} for what, why in NOT_REMADE.items()]
    own = [
        {"key": f"`{above}{key}`", "says": about.description or ""}
        for above, model in (
            ("", File),
            ("source.", Source),
            ("scores.NAME.", Score),
            ("rows.NAME.", Row),
            ("full.", Full),
        )
        for key, about in model.model_fields.items()
    ]
    parts = [markdown(rows), "## Not made again", markdown(left), "## The keys of a file", markdown(own)]
    return HEAD + "\n\n".join(parts) + "\n"


def tables_beside(which: Table) -> list[Table]:
    """All tables in the folder of this one, itself among them."""
    folder = which.file.parent
    return [load_table(folder / f"{name}.yaml") for name in table_names(folder)]


def _row(change: Mapping[str, Any]) -> dict[str, str]:
    parts = [f"`{key}: {words(value) or 'null'}`" for key, value in change.items()]
    return {"differs in": ", ".join(parts) or "nothing"}


def _better(mode: str) -> str:
    return "more" if mode == "max" else "less"


def _published(name: str, which: Table) -> str:
    score = which.scores[name]
    other = f", {_better(score.published_mode)} is better" if score.published_mode not in (None, score.mode) else ""
    numbers = any(name in row.published for row in which.rows.values())
    return f"{score.published_as}{other}" + ("" if numbers else " (no numbers)")


def _command(which: Table, full: bool) -> str:
    name = (
        which.name if which.file.parent == FOLDER or which.file.parent.parts[-2:] == FOLDER.parts else str(which.file)
    )
    return f"i2i-cluster tables run {shlex.quote(name)}{' --full' if full else ''}"


def _marked(text: str, full: bool) -> str:
    return f"<!-- {MARKS[full]}: begin -->\n{text}\n<!-- {MARKS[full]}: end -->"


def _recorded(text: str) -> str:
    found = re.search(r"^(\d{4}-\d\d-\d\d), ", text, re.MULTILINE)
    return found[1] if found else "not run yet"


def _gpus(made: Mapping[str, Any]) -> str:
    return f" and {', '.join(made['gpus'])}" if made.get("gpus") else ""


def _made_by(result: Result) -> Mapping[str, Any] | None:
    """What the newest whole checkpoint of a row says of code and machine."""
    if result.sweep is None or not result.sweep.state.trials:
        return None
    checkpoints = Checkpoints(result.sweep.store, result.sweep.paths.checkpoints(min(result.sweep.state.trials)))
    listing = checkpoints.look()
    for place in reversed(listing.valid):
        try:
            made: Mapping[str, Any] = checkpoints.describe(place, listing).about.get("provenance", {})
        except (DamagedCheckpoint, DataError):
            continue  # an older one may be whole
        return made
    return None
