"""`resume` and `retry`: go on with a sweep without its file, from what the log keeps of it.

The storage is where the sweep was found, whatever the file said: a sweep that was moved goes on where it lies now. The data are
held against what they were: other data would make another sweep.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console

from cluster.log.holder import last_holder
from cluster.log.lock import SweepBusy
from cluster.submission import read_submission
from cluster.targets.target import TargetError
from orchestrator.errors import Refusal, show
from orchestrator.finding import FoundSweep
from orchestrator.listening import with_port
from orchestrator.planning.identity import differences
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import BOUNDLESS
from orchestrator.running.sweeps import known_trials
from orchestrator.saying import say
from orchestrator.sweep_file.cluster import LOCAL
from orchestrator.sweep_file.draft import Draft, read_draft
from orchestrator.targets import cluster_in
from orchestrator.trust import is_trusted

TRIALS = re.compile(r"\+?[0-9]{1,9}")
SEVERAL = 5  # numbers that a line names


def resume(
    found: FoundSweep,
    console: Console,
    *,
    trials: str | None = None,
    failed_only: bool = False,
    recompute: bool = False,
    allow_inexact: bool,
    cluster: str | None = None,
    detach: bool = False,
    metrics_port: int | None = None,
) -> int:
    """Go on with the sweep; returns the exit code. `trials`: how many settings it is to have, such as 20, or +8 more.

    failed_only: try the trials again that failed, and nothing else. recompute: with less memory from now on. cluster: where;
    None: where it was submitted to before.
    detach: as of `submit`. metrics_port: None: as its file says. Raises Refusal, SweepBusy, TargetError.
    """
    draft = with_port(draft_of(found, trials, cluster, recompute), metrics_port)
    if not failed_only:
        return _submit(found, draft, console, None, allow_inexact, detach)
    if trials is not None:
        raise Refusal("no trial is added by --failed-only; leave one of them out", path="--trials", value=trials)
    failed = frozenset(trial.index for trial in found.state.trials.values() if trial.state == "failed")
    if not failed:
        problem = f"no trial of sweep {found.state.name} has failed; without --failed-only it goes on with what is left"
        raise Refusal(problem, path="--failed-only")
    return _submit(found, draft, console, failed, allow_inexact, detach)


def retry(
    found: FoundSweep,
    trial: int,
    console: Console,
    *,
    recompute: bool = False,
    allow_inexact: bool,
    cluster: str | None = None,
    detach: bool = False,
) -> int:
    """Try a trial that failed again, and nothing else; returns the exit code. Options and errors as of `resume`."""
    check_retry(found, trial)
    draft = draft_of(found, cluster=cluster, recompute=recompute)
    return _submit(found, draft, console, frozenset([trial]), allow_inexact, detach)


def draft_of(
    found: FoundSweep, trials: str | None = None, cluster: str | None = None, recompute: bool = False
) -> Draft:
    """The sweep as it was submitted, kept where it was found; `trials`, `cluster` and `recompute` as of `resume`.

    Raises Refusal where the log does not hold it, and SweepBusy where somebody drives it.
    """
    holder, about = last_holder(found.store, found.paths), found.state.about
    if holder is not None and holder.drives:
        raise SweepBusy(f"this sweep is already being run by {holder}; wait for it, or stop it first")
    values = copy.deepcopy(about.get("written") or {})
    if not values:
        how = f"submit {about['file']}" if about.get("file") else "give the command that made it again"
        name = found.state.name or found.state.id
        raise Refusal(f"the log of sweep {name} does not hold its file; {how} to go on", value=found.state.id)
    values["storage"] = found.store.uri
    values |= {"cluster": LOCAL if cluster else _where(found)} | cluster_in(cluster)
    if recompute:
        values["recompute"] = True
    if trials is not None:
        values["trials"] = _trials(about, values, trials)
    draft = read_draft(values)
    return replace(draft, options={"cluster": "--cluster"}) if cluster else draft


def _where(found: FoundSweep) -> Any:
    """Where the sweep was submitted to last, as its file had it. Raises Refusal where only the storage says so."""
    made = read_submission(found.store, found.paths)
    if made is None:
        return LOCAL
    if not is_trusted(made):
        problem = f"it was submitted to {made.place} by somebody else, or from elsewhere; say whether to go on there"
        raise Refusal(f"{problem}, or with local here", path="--cluster")
    return made.cluster


def _trials(about: Mapping[str, Any], values: Mapping[str, Any], wanted: str) -> int:
    """The number of settings that `wanted` means."""
    if values.get("searcher") == "grid":
        raise Refusal("a grid has its own number of trials, which follows from its axes", path="--trials", value=wanted)
    if not TRIALS.fullmatch(wanted) or not int(wanted):
        problem = f"must be a number of trials, such as 20, or +8 more, not {show(wanted)}"
        raise Refusal(problem, path="--trials", value=wanted)
    return int(wanted) + (int(about["trials"]) if wanted.startswith("+") else 0)


def check_retry(found: FoundSweep, index: int) -> None:
    """Raise Refusal unless the trial failed."""
    state = found.state
    trial = state.trials.get(index)
    if trial is None:
        raise Refusal(
            f"sweep {state.name} has no trial {index}; it has {known_trials(state)}", path="TRIAL", value=index
        )
    if trial.state == "failed":
        return
    why = {
        "done": "is done, and would end in the same bytes again; for another result change the file and submit it",
        "stopped": f"was stopped by {trial.by or 'the scheduler'}; to train it to its end change the file and submit it",
    }.get(trial.state, "has not ended; `i2i-cluster resume` goes on with it")
    raise Refusal(f"trial {index} {why}", path="TRIAL", value=index)


def _submit(
    found: FoundSweep,
    draft: Draft,
    console: Console,
    only: frozenset[int] | None,
    allow_inexact: bool,
    detach: bool,
) -> int:
    file = str(found.state.about.get("file", ""))
    try:
        check_same(found, draft, file)
        if only is not None:
            say(f"tried again, and nothing else: {_named(only)}", aside=True)

        from orchestrator.remote import submit_anywhere

        return submit_anywhere(draft, file, console, detach=detach, allow_inexact=allow_inexact, only=only)
    except Refusal as refusal:
        raise in_words(refusal, found) from refusal
    except TargetError as error:
        if "cluster" in draft.options:
            raise
        raise TargetError(f"{error}; with `--cluster local` it goes on here") from error


def check_same(found: FoundSweep, draft: Draft, file: str) -> None:
    """Raise Refusal where going on would make another sweep: the data were built anew, or the folder was renamed."""
    state = found.state
    machine = None if draft.sweep.cluster.is_local else BOUNDLESS  # which sweep it is does not hang on the room for it
    plan = make_plan(draft, file, kept=state.about.get("autos"), machine=machine)
    if plan.id == state.id:
        return
    keys = differences(json.loads(json.dumps(dict(plan.identity))), state.about.get("identity", {}))
    if not keys:
        raise Refusal(f"its folder is called {state.id}; call it {plan.id} again to go on", file=file)
    raise Refusal(f"{' and '.join(keys)} changed since it was submitted: it would be another sweep", file=file)


def in_words(refusal: Refusal, found: FoundSweep) -> Refusal:
    """A refusal of what the log keeps, for somebody who gave no file."""
    for one in (refusal, *refusal.also):
        one.file = f"sweep {found.state.name}" if one.path != "trials" else ""
        one.path = "--trials" if one.path == "trials" else one.path
    return refusal


def _named(trials: frozenset[int]) -> str:
    several = sorted(trials)
    named = ", ".join(map(str, several[:SEVERAL]))
    more = f" and {len(several) - SEVERAL} more" if len(several) > SEVERAL else ""
    return f"trial{'s' if len(several) > 1 else ''} {named}{more}"
