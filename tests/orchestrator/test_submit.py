"""What `submit` says at its end: how it ended, whom to name, and how to go on."""

import pytest

from cluster.layout import SweepPaths
from orchestrator.errors import Refusal
from orchestrator.results.results import save_picture
from orchestrator.results.summary import ending, print_results
from orchestrator.submit import show_outcome, store_results
from orchestrator.tables import console
from tests.orchestrator.unrun import L1, SSIM, STEPS, Log

AGAIN = "submit the same file again to go on"


@pytest.fixture(scope="module")
def plan():
    """As much of one as showing an outcome needs."""

    class Plan:
        id = "a1"

        class sweep:
            name = "toy"

    return Plan()


@pytest.fixture
def shown(plan, tmp_path, capsys):
    """shown(log): the lines below the leaderboard, and those on standard error; `{here}` stands for the storage."""

    def show(log):
        store = log.store(tmp_path)
        store.write(SweepPaths("a1").results, b"what a driver has stored by then")
        show_outcome(plan, store, console())
        store.delete(SweepPaths("a1").results)
        told = capsys.readouterr()
        lines = told.out.replace(str(tmp_path), "{here}").splitlines()
        return lines[lines.index(next(line for line in lines if line.startswith("sweep "))) :], told.err.splitlines()

    return show


def test_a_sweep_of_one_seed_ends_as_it_always_did(shown, tmp_path):
    log = Log("a1").trial([0.5, 0.4]).trial([0.4, 0.2]).closed()
    grid = tmp_path / SweepPaths("a1").grid(1, 200)
    grid.parent.mkdir(parents=True)
    grid.write_bytes(b"png")
    assert shown(log) == (
        [
            "sweep toy (a1): done",
            "best: trial 1 with weights.cyc 11: +0.2 in eval/l1 over the preset at equal steps",
            "pictures: {here}/a1/trials/0001/grids/step-00000200.png",
            "model:    {here}/a1/best",
            "results:  {here}/a1/results.parquet",
        ],
        [],
    )


def test_the_leaderboard_comes_first(plan, tmp_path, capsys):
    show_outcome(plan, Log("a1", objectives=[L1, SSIM]).trial([0.5]).closed().store(tmp_path), console())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "toy: eval/l1, minimise; eval/ssim, maximise"
    assert lines[1].split()[:3] == ["rank", "trial", "state"]


def test_a_sweep_with_seeds_names_the_trial_of_its_model(shown):
    log = Log("a1", seeds=2).seeds(0, [0.5, 0.75]).seeds(1, [0.25, 0.5], by="asha").closed()
    assert shown(log)[0] == [
        "sweep toy (a1): done",
        "best: setting 1 (trials 2 and 3) with weights.cyc 11: eval/l1 0.375 ± 0.18 (+0.25 ± 0 over the preset at equal "
        "steps), over 2 seeds",
        "model:    {here}/a1/best, of trial 2",
        "results:  {here}/a1/results.parquet",
    ]


def test_a_front_and_what_stopping_saved_are_told(shown):
    log = Log("a1", objectives=[L1, SSIM])
    log.trial({STEPS: {"eval/l1": 0.5, "eval/ssim": 0.5}})
    log.trial({100: {"eval/l1": 0.4, "eval/ssim": 0.4}}, "stopped", by="median", why="worse").closed()
    assert shown(log)[0][1:4] == [
        "suggested, the knee of the front: trial 0, the preset: eval/l1 0.5, eval/ssim 0.5",
        "front: trials 0 and 1 are beaten by none; hypervolume 0 from the worst of each, eval/l1 0.5 and eval/ssim 0.4",
        "knee: trial 0, on the front the nearest to the best of each; its model is the one that is stored",
    ]
    assert shown(log)[0][4] == "1 of 2 trainings was stopped, by median 1: 38 % of the steps were not needed"


def test_where_none_may_be_named_there_is_no_model(shown, plan, tmp_path):
    log = Log("a1", constraints=["eval/l1 <= 0.1"]).trial([0.5]).trial([0.25]).closed()
    assert shown(log)[0] == [
        "sweep toy (a1): done",
        "no trial keeps the constraints, so none is named; nearest: trial 1, eval/l1 0.25 where eval/l1 <= 0.1 is asked",
    ]
    store = log.store(tmp_path)
    store_results(plan, store)
    assert store.exists(SweepPaths("a1").results)
    assert store.list(SweepPaths("a1").best) == []


@pytest.mark.parametrize(
    ("state", "reason", "text"),
    [
        ("done", None, "done"),
        ("interrupted", None, f"interrupted: {AGAIN}"),
        ("stopped", None, f"out of time; {AGAIN}"),
        (
            "stopped",
            "budget.wall: this submit has had its 3600 s",
            f"stopped, budget.wall: this submit has had its 3600 s; {AGAIN}, or raise budget.wall",
        ),
        (
            "stopped",
            "budget.gpu_hours: 10.2 of 10 are spent",
            "stopped, budget.gpu_hours: 10.2 of 10 are spent; raise budget.gpu_hours and submit again",
        ),
        ("failed", None, "every trial failed"),
        ("failed", "the disk is full", f"failed; mend what the error names and {AGAIN}"),
    ],
)
def test_how_it_ended_says_what_to_do(state, reason, text):
    assert ending(Log("a1").trial([0.5]).closed(state, reason).state) == text


def test_only_what_failed_is_an_error(shown):
    log = Log("a1").trial({}, "pending")
    assert shown(log.closed("failed", "the disk is full"))[1] == ["error: the disk is full"]
    assert shown(log.closed("stopped", "budget.wall: this submit has had its 5 s")) == (
        [
            f"sweep toy (a1): stopped, budget.wall: this submit has had its 5 s; {AGAIN}, or raise budget.wall",
            "no trial has been evaluated yet",
        ],
        [],
    )


def test_results_show_the_table_what_mattered_and_what_is_to_be_said(tmp_path, capsys):
    log = Log()
    for value in range(8):
        log.trial([value / 8])
    print_results(log.trial([0.9], "stopped", by="asha").found(tmp_path), console())
    assert capsys.readouterr().out.splitlines()[-5:] == [
        "What mattered for eval/l1, by 9 settings",
        "axis         share  by chance",
        "weights.cyc  100 %  3 %",
        "",
        "1 of 9 trainings was stopped, by asha 1: 8 % of the steps were not needed",
    ]


def test_results_of_few_settings_say_when_more_can_be_told(tmp_path, capsys):
    print_results(Log().trial([0.5]).trial([0.25]).closed().found(tmp_path), console())
    assert capsys.readouterr().out.splitlines() == [
        "toy (0123456789ab), done: eval/l1, minimise",
        "rank  trial       state  step  eval/l1  gain   weights.cyc  seconds",
        "1     1           done   100   0.25     +0.25  11           10",
        "2     0 (preset)  done   100   0.5             10           10",
        "",
        "which axis mattered can be told from 8 judged settings on; so far there are 2",
    ]


def test_there_is_no_picture_before_the_first_evaluation(tmp_path):
    with pytest.raises(Refusal) as caught:
        save_picture(Log().trial({}, "running").found(tmp_path), tmp_path / "x.png")
    assert caught.value.lines() == ["--picture: toy has no picture yet: one is made at each evaluation"]
