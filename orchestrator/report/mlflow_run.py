"""What MLflow is told of a trial, by the sweep's log and its storage alone: values, numbers, tags and files. Nothing is sent here.

The surprise is what MLflow never takes back, a param and a number: so a population's trial has the values that it began with as its
params, where it went on from others is a tag, and all names are made from the log's names alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cluster.log.records import TrialState, read_records
from cluster.log.store import read_log
from orchestrator.finding import FoundSweep
from orchestrator.report.pictures import read_picture, stored
from orchestrator.report.provenance import COMMIT, trace
from orchestrator.report.story import TrialStory, tell_story
from orchestrator.results.outcome import Outcome, judge
from orchestrator.results.results import describe_trials
from orchestrator.saying import visible

OWN = "i2i."  # how the tags begin that are ours to change and to take away
SWEEP, TRIAL = f"{OWN}sweep", f"{OWN}trial"  # by these a run is found again
LONGEST_NAME, LONGEST_VALUE, LONGEST_TAG = 250, 6000, 5000  # characters that MLflow takes
ALLOWED = re.compile(r"[\w: -][\w.: -]*(/[\w: -][\w.: -]*)*", re.ASCII)
FOREIGN = re.compile(r"[^\w./: -]", re.ASCII)
STATUS = {"pending": "SCHEDULED", "paused": "SCHEDULED", "running": "RUNNING", "done": "FINISHED", "failed": "FAILED"}
STOPPED = "KILLED"
FACTS = ("file", "storage", "data", "task network", "conditions", "code", "packages", "machine")  # of the provenance
GRID, RESULTS, CARD = "grid.png", "results.json", "model.json"


class Number(NamedTuple):
    """One value of a metric, as MLflow keeps it; at: milliseconds since 1970."""

    name: str
    value: float
    at: int
    step: int


@dataclass(frozen=True)
class TrialRun:
    """A trial as a run. begun, ended: milliseconds since 1970; ended is None while something is still to come of it."""

    trial: TrialState
    told: TrialStory
    begun: int
    ended: int | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    results: bytes

    @property
    def name(self) -> str:
        """As people call it."""
        return f"trial {self.trial.index}"

    @property
    def status(self) -> str:
        """MLflow's word for the trial's state."""
        return STATUS.get(self.trial.state, STOPPED)

    def numbers(self, after: Mapping[str, int]) -> Iterator[Number]:
        """Every number of every report, by step. after: names as MLflow has them -> the step up to which it knows them.

        Those that are not finite are among them.
        """
        names: dict[str, str] = {}
        for step in sorted(self.told.reports):
            for name, value in self.told.reports[step].items():
                known = names.get(name) or names.setdefault(name, allowed(name))
                if known not in after or step > after[known]:
                    yield Number(known, value, _milliseconds(self.told.told[step]), step)


def read_runs(sweep: FoundSweep) -> list[TrialRun]:
    """The trials that have begun, in order. Raises UnreadableLog, and what the store does."""
    raw = read_log(sweep.store, sweep.paths)
    story, found = tell_story(raw), judge(sweep.state)
    firsts = {record["trial"]: record["params"] for record in read_records(raw) if record["kind"] == "suggested"}
    facts = trace(sweep, found).facts
    described = {one["index"]: one for one in describe_trials(sweep)}
    runs = []
    for index, trial in sorted(sweep.state.trials.items()):
        told = story.trials.get(index, TrialStory())
        times = [*(one.start for one in told.spans), *(one.end for one in told.spans), *(one.at for one in told.marks)]
        if times:
            runs.append(
                TrialRun(
                    trial,
                    told,
                    _milliseconds(min(times)),
                    None if trial.is_live else _milliseconds(max(times)),
                    _params(found, trial, firsts.get(index, trial.params)),
                    _tags(found, trial, facts),
                    json.dumps(described[index], indent=1, sort_keys=True).encode(),
                )
            )
    return runs


def files_of(
    sweep: FoundSweep, run: TrialRun, sent: Mapping[str, str], damaged: list[str]
) -> Iterator[tuple[str, str, bytes]]:
    """The files of a run that were not sent as they are now: name, fingerprint and content. sent: name -> fingerprint.

    A picture that is no whole PNG is named in `damaged`. Raises what the store does where it does not answer.
    """
    if run.trial.history and sent.get(GRID) != str(run.trial.history[-1][0]):
        pictures = stored(sweep.store, sweep.paths, run.trial.index)
        step = max(pictures, default=None)
        if step is not None and sent.get(GRID) != str(step):
            picture, wrong = read_picture(sweep.store, *pictures[step])
            if wrong:
                damaged.append(f"{pictures[step][0]}: {wrong}")
            else:
                yield GRID, str(step), picture
    card = _card(sweep, run.trial.index) if run.tags[f"{OWN}model"] == "yes" else None
    for name, content in ((RESULTS, run.results), (CARD, card)):
        mark = hashlib.sha256(content or b"").hexdigest()[:16]
        if content is not None and sent.get(name) != mark:
            yield name, mark, content


def allowed(name: str) -> str:
    """A name as MLflow takes it. One that has to be changed ends in what tells it from others that become the same."""
    if ALLOWED.fullmatch(name) and len(name) <= LONGEST_NAME:
        return name
    parts = [part.lstrip(".") for part in FOREIGN.sub("_", name).split("/")]
    mark = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return "-".join(filter(None, ["/".join(filter(None, parts))[: LONGEST_NAME - 9].rstrip("/"), mark]))


def _params(found: Outcome, trial: TrialState, first: Mapping[str, Any]) -> dict[str, str]:
    """What the sweep's file says for all, what was settled for it, and over that the trial's own values."""
    about = found.state.about
    values = {
        **(about.get("autos") or {}),
        **{key: value for key, value in (about.get("identity") or {}).items() if not key.startswith("search.")},
        "system": about.get("system", ""),
        "steps": about.get("steps", 0),
        **({} if trial.setting else about.get("preset") or {}),
        **first,
        **({} if trial.seed is None else {"seed": trial.seed}),
    }
    return {allowed(name): _cut(_text(value), LONGEST_VALUE) for name, value in values.items() if value is not None}


def _tags(found: Outcome, trial: TrialState, facts: Mapping[str, str]) -> dict[str, str]:
    model = found.model
    license = str((found.state.about.get("data") or {}).get("license") or "")
    code = facts.get("code", "")
    values = {
        SWEEP: found.state.id,
        TRIAL: str(trial.index),
        f"{OWN}setting": str(trial.setting),
        f"{OWN}finalist": "yes" if trial.finalist else "",
        f"{OWN}state": trial.state,
        f"{OWN}step": str(trial.step),
        f"{OWN}by": trial.by or "",
        f"{OWN}why": trial.why,
        f"{OWN}error": trial.error or "",
        f"{OWN}failures": str(trial.failures or ""),
        f"{OWN}lineage": "; ".join(_descent(*one) for one in trial.lineage),
        f"{OWN}model": "yes" if model is not None and model.index == trial.index else "no",
        f"{OWN}license": license,
        "mlflow.source.name": "i2i-cluster",
        "mlflow.source.git.commit": code.split(" ")[0] if COMMIT.match(code) else "",
        **{f"{OWN}{name.replace(' ', '_')}": facts.get(name, "") for name in FACTS},
    }
    return {name: _cut(visible(text), LONGEST_TAG) for name, text in values.items() if text}


def _descent(step: int, donor: int, params: Mapping[str, Any]) -> str:
    values = ", ".join(f"{name} {_text(value)}" for name, value in params.items())
    return f"step {step}: goes on from trial {donor} with {values}"


def _card(sweep: FoundSweep, trial: int) -> bytes | None:
    """What lies beside the stored model, where there is one and it is this trial's."""
    from cluster.model_file import CARD as FILE  # brings torch

    path = f"{sweep.paths.best}/{FILE}"
    if not sweep.store.exists(path):
        return None
    content = sweep.store.read(path)
    try:
        card = json.loads(content)
    except ValueError:
        return None
    return content if isinstance(card, dict) and card.get("trial") == trial else None


def _text(value: object) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _milliseconds(at: float) -> int:
    return round(1000 * at)
