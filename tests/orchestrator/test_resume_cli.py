"""`resume` and `retry`: what goes on without the sweep file, and what is refused before anything is touched."""

import json
import os
from typing import Any

import pytest

from cluster.layout import SweepPaths
from cluster.log.driver import driving
from cluster.log.store import open_log, read_log
from cluster.targets.target import TargetError
from data_shards.store import open_store
from orchestrator import remote
from orchestrator.errors import Refusal
from orchestrator.finding import find_sweep
from orchestrator.job import about
from orchestrator.planning.plan import make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.running.going_on import check_same, draft_of
from orchestrator.sweep_file.draft import read_draft
from orchestrator.sweep_file.written import portable

SEARCH = "name: toy\nsearch: {weights.cyc: {log_uniform: [1, 30]}}\nobjective: {metric: eval/l1}\ntrials: 4\n"


ANYWHERE = pytest.mark.parametrize("storage", ["folder", "s3"], indirect=True)


@pytest.fixture
def storage(request, tmp_path):
    """Where the sweep is kept: a folder, unless a test asks for S3."""
    is_remote = getattr(request, "param", "folder") == "s3"
    return request.getfixturevalue("bucket") if is_remote else str(tmp_path / "runs")


@pytest.fixture
def submitted(values, storage):
    """submitted("searcher: grid\\n"): the plan of a search of 4 trials: 0 is done, 1 was stopped, 2 has failed, 3 is half way."""

    def submit(more="", search=SEARCH, **told):
        written = values(f"{search}storage: {storage}\nresources: {{cpus_per_worker: 0.5}}\n{more}")
        plan = make_plan(read_draft(written), "sweep.yaml", machine=Machine(4, 0))
        store, paths = open_store(plan.storage), SweepPaths(plan.id)
        with driving(store, paths) as driver:
            log = open_log(store, paths, driver)
            log.append("opened", id=plan.id, name=plan.sweep.name, attempt=1, about={**about(plan), **told})
            for trial in range(plan.trials):
                log.append("suggested", trial=trial, params=plan.params(trial))
                log.append("started", trial=trial, attempt=1)
            log.append("ended", trial=0, state="done", error=None)
            if plan.trials > 1:
                log.append("ended", trial=1, state="stopped", error=None, by="asha", why="worse")
                log.append("failed", trial=2, error="worker 0 died", count=4)
                log.append("ended", trial=2, state="failed", error="worker 0 died")
            log.close()
        return plan

    return submit


@pytest.fixture
def handed(monkeypatch):
    """What `submit` was asked to do: (draft, file, options)."""
    found = []

    def take(draft, file, console, **options):
        found.append((draft, file, options))
        return 0

    monkeypatch.setattr(remote, "submit", take)
    return found


@pytest.fixture
def ask(run, storage):
    """ask("retry", 2): code and lines of a command about the sweep; nothing may be written by it."""

    def give(command, *arguments):
        code, out, err = run(command, "toy", *arguments, "--storage", storage)
        return code, out, err

    return give


@ANYWHERE
def test_resume_submits_what_the_log_holds(submitted, ask, handed, storage):
    plan = submitted()
    assert ask("resume") == (0, "", "")
    ((draft, file, options),) = handed
    assert (file, options) == ("sweep.yaml", {"allow_inexact": False, "only": None})
    assert draft.sweep == plan.sweep
    assert make_plan(draft, file, machine=Machine(4, 0)).id == plan.id
    assert ask("resume", "--allow-inexact")[0] == 0
    assert handed[1][2]["allow_inexact"] is True


@pytest.mark.parametrize(("wanted", "trials"), [("9", 9), ("+3", 7), ("4", 4)])
def test_a_search_is_extended(submitted, ask, handed, wanted, trials):
    submitted()
    assert ask("resume", "--trials", wanted) == (0, "", "")
    assert handed[0][0].sweep.trials == trials


def test_only_what_failed_is_tried_again(submitted, ask, handed):
    submitted()
    told = "tried again, and nothing else: trial 2\n"
    assert ask("resume", "--failed-only") == (0, "", told)
    assert ask("retry", "2") == (0, "", told)
    assert [options["only"] for _, _, options in handed] == [frozenset([2]), frozenset([2])]


def test_what_ran_out_of_memory_is_tried_again_with_less_and_stays_the_same_sweep(submitted, ask, handed):
    plan = submitted()
    for command in (("retry", "2"), ("resume",), ("resume", "--failed-only")):
        assert ask(*command, "--recompute")[0] == 0
    for draft, file, _ in handed:
        assert draft.sweep.recompute
        assert make_plan(draft, file, machine=Machine(4, 0)).id == plan.id


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("resume", "--trials", "many"), "--trials: must be a number of trials, such as 20, or +8 more, not 'many'"),
        (("resume", "--trials", "+0"), "--trials: must be a number of trials, such as 20, or +8 more, not '+0'"),
        (("resume", "--trials", "+999999"), "--trials: must be at most 100000, not 1000003"),
        (
            ("resume", "--trials", "+3", "--failed-only"),
            "--trials: no trial is added by --failed-only; leave one of them out",
        ),
        (("retry", "7"), "TRIAL: sweep toy has no trial 7; it has trials 0 to 3"),
        (
            ("retry", "0"),
            "TRIAL: trial 0 is done, and would end in the same bytes again; for another result change the file and submit it",
        ),
        (
            ("retry", "1"),
            "TRIAL: trial 1 was stopped by asha; to train it to its end change the file and submit it",
        ),
        (("retry", "3"), "TRIAL: trial 3 has not ended; `i2i-cluster resume` goes on with it"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(submitted, ask, storage, handed, command, line):
    plan = submitted()
    before = read_log(open_store(storage), SweepPaths(plan.id))
    assert ask(*command) == (2, "", f"error: {line}\n")
    assert (handed, read_log(open_store(storage), SweepPaths(plan.id))) == ([], before)


def test_a_cluster_that_is_gone_is_no_end_of_the_sweep(submitted, ask, monkeypatch):
    submitted()

    def gone(*about, **options):
        raise TargetError("http://head:8265 does not answer")

    monkeypatch.setattr(remote, "submit_anywhere", gone)
    told = "error: http://head:8265 does not answer"
    assert ask("resume") == (1, "", f"{told}; with `--cluster local` it goes on here\n")
    assert ask("resume", "--cluster", "local") == (1, "", f"{told}\n"), "who chose the place knows of the others"


def test_fewer_trials_are_refused(submitted, ask):
    submitted()
    told = "this sweep was submitted with 4 trials, which can be raised but not lowered to 3; nearest: 4"
    code, out, err = ask("resume", "--trials", "3")
    assert (code, out) == (2, "")
    assert err.endswith(f"error: --trials: {told}\n")


@ANYWHERE
def test_a_sweep_that_another_process_drives_is_left_alone(submitted, ask, storage, handed):
    plan = submitted()
    store = open_store(storage)
    with driving(store, SweepPaths(plan.id)):
        who = f"process {os.getpid()}" + (f" on {os.uname().nodename}" if store.remote else "")
        told = f"error: this sweep is already being run by {who}; wait for it, or stop it first\n"
        for command in (("resume",), ("retry", "2")):
            assert ask(*command) == (2, "", told)
    assert handed == []


@pytest.mark.parametrize(
    ("told", "how"),
    [
        ({"written": {}}, "submit sweep.yaml"),
        ({"written": None}, "submit sweep.yaml"),
        ({"written": {}, "file": ""}, "give the command that made it again"),
    ],
)
def test_a_log_that_holds_no_file_says_what_to_do(submitted, ask, handed, told, how):
    submitted(**told)
    for command in (("resume",), ("retry", "2")):
        assert ask(*command) == (2, "", f"error: the log of sweep toy does not hold its file; {how} to go on\n")
    assert handed == []


def test_a_sweep_without_failures_has_nothing_to_try_again(submitted, ask, handed):
    submitted(search="name: toy\n")
    line = "--failed-only: no trial of sweep toy has failed; without --failed-only it goes on with what is left"
    assert ask("resume", "--failed-only") == (2, "", f"error: {line}\n")
    line = "--trials: 2 trials without a search would be the same training 2 times; add a search, or leave trials out"
    assert ask("resume", "--trials", "+1") == (2, "", f"error: {line}\n")
    assert handed == []


def test_a_grid_cannot_be_extended_by_a_number(submitted, ask):
    search = "name: toy\nsearcher: grid\nsearch: {weights.cyc: {choice: [1, 5, 20]}}\nobjective: {metric: eval/l1}\n"
    submitted(search=search)
    line = "--trials: a grid has its own number of trials, which follows from its axes"
    assert ask("resume", "--trials", "+1") == (2, "", f"error: {line}\n")


def test_other_data_are_not_gone_on_with(submitted, ask, storage, shards, make_shards, handed, monkeypatch):
    plan = submitted()
    found = find_sweep(plan.id, storage)
    other = str(make_shards(train=80))
    found.state.about["written"]["data"]["uri"] = other
    with pytest.raises(Refusal) as caught:
        check_same(found, draft_of(found), "sweep.yaml")
    assert str(caught.value) == "sweep.yaml: data.uri changed since it was submitted: it would be another sweep"
    found.state.about["written"]["data"]["uri"] = str(shards)
    found.state.id = "renamed"
    with pytest.raises(Refusal) as caught:
        check_same(found, draft_of(found), "sweep.yaml")
    assert str(caught.value) == f"sweep.yaml: its folder is called renamed; call it {plan.id} again to go on"


def test_data_that_are_gone_are_told_of_the_sweep_and_not_of_a_file(submitted, ask, tmp_path, handed, values):
    written = json.loads(json.dumps(values(SEARCH)))
    written["data"]["uri"] = f"{tmp_path}/gone"
    submitted(written=written)
    code, out, err = ask("resume")
    assert (code, out, handed) == (2, "", [])
    assert err.startswith(f"error: sweep toy: data.uri: {tmp_path}/gone")


def test_a_sweep_that_was_moved_goes_on_where_it_lies_now(submitted, tmp_path, run, handed):
    plan = submitted()
    (tmp_path / "elsewhere").mkdir()
    os.rename(tmp_path / "runs" / plan.id, tmp_path / "elsewhere" / plan.id)
    assert run("resume", tmp_path / "elsewhere" / plan.id)[0] == 0
    assert handed[0][0].sweep.storage == f"{tmp_path}/elsewhere"


def test_places_mean_the_same_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values: dict[str, Any] = {
        "data": {"uri": "shards/x", "image": 8, "cache": {"folder": "cache"}},
        "steps": "20k",
        "task": "judge",
    }
    kept = portable(values, "/runs/abc/best")
    assert kept == {
        "data": {"uri": f"{tmp_path}/shards/x", "image": 8, "cache": {"folder": f"{tmp_path}/cache"}},
        "steps": "20k",
        "task": "/runs/abc/best",
        "storage": f"{tmp_path}/i2i-runs",
    }
    assert values["data"]["uri"] == "shards/x", "the values themselves are left alone"
    monkeypatch.chdir("/")
    assert portable(kept, "/runs/abc/best") == kept
    remote = {"data": {"uri": "s3://bucket/x"}, "storage": "S3://bucket/runs/?endpoint=http://h:1"}
    assert portable(remote) == {"data": {"uri": "s3://bucket/x"}, "storage": "s3://bucket/runs?endpoint=http://h:1"}
    assert portable({}) == {}
