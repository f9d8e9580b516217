"""A sweep's trials as MLflow's own client finds them: every number once, with its step, however often and early they are sent."""

import json
import math

import pytest

from orchestrator.report import mlflow_run as report_mlflow_run
from orchestrator.report import mlflow_runs as report_mlflow
from orchestrator.report.mlflow_run import allowed
from orchestrator.report.mlflow_server import Server
from orchestrator.report.provenance import Provenance
from tests.orchestrator.mlflow_runs import missing, mlflow_server, runs_of
from tests.orchestrator.reported import ID, LICENSE, PATHS, START, World, grid

FLOOR = 1000 * int(START)
NOT_TAKEN = {
    False: "it keeps them in a place of its own; `mlflow server --serve-artifacts` takes them",
    True: "it refuses: no room",
}


@pytest.fixture
def uri(tmp_path, monkeypatch):
    """MLflow's store in a folder."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


@pytest.fixture
def send(tmp_path, run, uri):
    """send(to=...): the command on the sweep of this test."""
    return lambda to=uri, *more: run("report", "toy", "--storage", tmp_path, "--mlflow", to, *more)


def test_each_trial_is_a_run_with_its_values_numbers_tags_and_files(tmp_path, send, uri):
    world = World(tmp_path).trial([0.5, 0.4]).trial([0.3], "stopped", by="asha", why="worse", seed=8)
    world.store.write(PATHS.grid(1, 200), b"no picture")
    world.store.write(f"{PATHS.best}/model.json", b'{"trial": 1, "format": 1}')
    world.close()
    code, out, told = send()
    assert (code, out) == (0, f"runs of 2 trials: experiment toy of {uri}    # 2 new, and 48 numbers\n")
    assert told == f"left out as damaged: {ID}/trials/0001/grids/step-00000200.png: not a whole PNG\n"
    runs = runs_of(uri)
    first, second = runs["trial 0"], runs["trial 1"]
    assert first.metrics["eval/l1"] == [(100, 0.5, FLOOR + 5000), (200, 0.4, FLOOR + 8000)]
    assert first.steps("loss/adv") == [50, 100, 150, 200]
    assert [math.isnan(value) for _, value, _ in first.metrics["loss/l1"]] == [True] * 4
    assert sum(map(len, first.metrics.values())) + sum(map(len, second.metrics.values())) == 48
    assert first.params["weights.l1"] == "100.0"
    assert (first.params["system"], first.params["steps"], first.params["seed"]) == ("pix2pix", "400", "7")
    assert second.params["seed"] == "8"
    assert (first.info.status, second.info.status) == ("FINISHED", "KILLED")
    assert (first.info.start_time, first.info.end_time) == (FLOOR + 3000, FLOOR + 10000)
    wanted = {"i2i.sweep": ID, "i2i.trial": "1", "i2i.state": "stopped", "i2i.by": "asha", "i2i.why": "worse"}
    assert wanted.items() <= second.tags.items()
    assert (first.tags["i2i.license"], first.tags["i2i.file"]) == (LICENSE, "sweep.yaml")
    assert first.file("grid.png", tmp_path) == grid(0, 200)
    results = json.loads(second.file("results.json", tmp_path))
    assert (results["index"], results["metrics"]["eval/l1"]) == (1, 0.3)
    named = {name: one for name, one in runs.items() if one.tags["i2i.model"] == "yes"}
    assert list(named) == ["trial 1"], "the better one"
    assert second.file("model.json", tmp_path) == b'{"trial": 1, "format": 1}'
    assert "i2i.sent.model.json" not in first.tags


def test_a_second_call_doubles_nothing(tmp_path, send, uri):
    World(tmp_path).trial([0.5, 0.4]).trial([0.3]).close()
    send()
    before = {name: repr((one.metrics, one.params, one.tags)) for name, one in runs_of(uri).items()}  # NaN is not NaN
    assert send()[1].endswith("# 0 new, and 0 numbers\n")
    assert {name: repr((one.metrics, one.params, one.tags)) for name, one in runs_of(uri).items()} == before


def test_a_sweep_that_goes_on_is_brought_up_to_date(tmp_path, send, uri):
    world = World(tmp_path).trial([0.5], "running")
    world.add("suggested", trial=1, params={}).add("failed", trial=0, count=1, error="a worker died").write()
    assert send()[1].startswith("runs of 1 trial: "), "the other has not begun"
    (early,) = runs_of(uri).values()
    assert (early.info.status, early.info.end_time, early.tags["i2i.error"]) == ("SCHEDULED", None, "a worker died")
    assert early.tags["i2i.sent.grid.png"] == "100"
    early.client.set_tag(early.info.run_id, "mine", "stays")
    world.add("started", trial=0, attempt=1).report(0, 150)
    world.report(0, 200, 0.4, pictures=True)
    world.add("ended", trial=0, state="done").close()
    assert send()[1].endswith("# 0 new, and 16 numbers\n")
    (late,) = runs_of(uri).values()
    assert late.info.run_id == early.info.run_id
    assert (late.steps("loss/adv"), late.steps("eval/l1")) == ([50, 100, 150, 200], [100, 200])
    assert (late.info.status, late.tags["i2i.state"], late.tags["mine"]) == ("FINISHED", "done", "stays")
    assert "i2i.error" not in late.tags
    assert late.file("grid.png", tmp_path) == grid(0, 200)


def test_a_call_that_was_broken_off_is_made_whole(tmp_path, send, uri, monkeypatch):
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    World(tmp_path).trial([0.5, 0.4]).close()
    whole, calls = MlflowClient.log_batch, []

    def breaks(self, *args, **fields):
        calls.append(fields)
        if len(calls) > 3:
            raise MlflowException("no room is left")
        whole(self, *args, **fields)

    with monkeypatch.context() as once:
        once.setattr(report_mlflow, "METRICS", 7)  # amid a step
        once.setattr(MlflowClient, "log_batch", breaks)
        assert send()[::2] == (1, f"error: {uri} refuses: no room is left\n")
    assert sum(map(len, runs_of(uri)["trial 0"].metrics.values())) == 14
    assert send()[1].endswith("# 0 new, and 18 numbers\n")
    (made,) = runs_of(uri).values()
    assert (made.steps("loss/adv"), made.steps("eval/l1")) == ([50, 100, 150, 200], [100, 200])


def test_many_values_and_numbers_go_in_several_calls(tmp_path, send, uri):
    identity = {f"hyper.h{number}": number for number in range(250)}
    world = World(tmp_path, identity=identity).trial([], "running", pictures=False)
    for step in range(1, 6):
        world.add("reported", trial=0, step=step, metrics={f"loss/t{n}": n + step for n in range(450)}, evaluated=False)
    world.close()
    assert send()[1].endswith("# 1 new, and 2,250 numbers\n")
    (made,) = runs_of(uri).values()
    assert (made.params["hyper.h249"], len(made.metrics)) == ("249", 450)
    assert [value for _, value, _ in made.metrics["loss/t449"]] == [450, 451, 452, 453, 454]


def test_odd_names_and_numbers_arrive_under_names_that_mlflow_takes(tmp_path, send, uri):
    odd = ["loss/gr\u00fcn", "loss/gr\u00f6n", "../etc", "a//b", "/", "x" * 300, "", "50 %", "a:b c-d_e.f/g"]
    world = World(tmp_path, name="toy").trial(
        [], "running", params={"weights.\u03bb": 1e300, "n\no": "\x1b[2J\U0001f600"}
    )
    for step in (1, 2):
        metrics = {name: ["inf", "-inf", None][n % 3] for n, name in enumerate(odd)}
        world.add("reported", trial=0, step=step, metrics=metrics, evaluated=True)
    world.add("ended", trial=0, state="failed", error="\x1b[31mred\nand a line").close("failed")
    assert send()[::2] == (0, "")
    assert send()[1].endswith("# 0 new, and 0 numbers\n")
    (made,) = runs_of(uri).values()
    assert len(set(map(allowed, odd))) == len(odd) == len(made.metrics)
    for number, name in enumerate(odd):
        (_, value, _), (step, _, _) = made.metrics[allowed(name)]
        wanted = [math.inf, -math.inf, math.nan][number % 3]
        assert step == 2
        assert value == wanted or (math.isnan(value) and math.isnan(wanted))
    assert allowed("a:b c-d_e.f/g") == "a:b c-d_e.f/g"
    assert allowed("loss/gr\u00fcn").startswith("loss/gr_n-")
    assert made.params[allowed("n\no")] == "\\x1b[2J\U0001f600"
    assert (made.info.status, made.tags["i2i.error"]) == ("FAILED", "\\x1b[31mred\nand a line")


@pytest.mark.parametrize("early", [True, False])
def test_a_populations_trial_has_the_values_it_began_with(tmp_path, send, uri, early):
    world = World(tmp_path).trial([0.5], "running").trial([0.3], "running").write()
    if early:
        send()
    clone = {"trial": 0, "action": "clone", "donor": 1, "params": {"weights.l1": 60.0, "hyper.penalty": "gp"}}
    world.add("settled", step=100, by="pbt", decisions=[clone]).add("given", trial=0).close()
    assert send()[0] == 0
    made = runs_of(uri)["trial 0"]
    assert made.params["weights.l1"] == "100.0"
    assert made.tags["i2i.lineage"] == "step 100: goes on from trial 1 with weights.l1 60.0, hyper.penalty gp"


def test_two_sweeps_of_one_name_share_the_experiment_and_a_deleted_one_is_told(tmp_path, send, uri, run):
    World(tmp_path).trial([0.5]).close()
    send()
    copy = tmp_path / "b'\"%"
    (tmp_path / ID).rename(copy)
    code, out, _ = run("report", copy, "--mlflow", uri)
    assert (code, out.rpartition("# ")[2]) == (0, "1 new, and 16 numbers\n")
    assert run("report", copy, "--mlflow", uri)[1].endswith("# 0 new, and 0 numbers\n")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name("toy")
    assert known is not None
    client.delete_experiment(known.experiment_id)
    code, _, told = run("report", copy, "--mlflow", uri)
    told_at = "the experiment 'toy' was deleted in MLflow: restore it, or delete it for good"
    assert (code, told) == (1, f"error: {told_at}\n")


@pytest.mark.parametrize("takes", [False, True])
def test_a_server_that_takes_no_files_gets_all_else_and_is_asked_once(tmp_path, send, uri, monkeypatch, takes):
    from mlflow.tracking import MlflowClient

    World(tmp_path).trial([0.5, 0.4]).trial([0.3]).close()
    asked = []

    def full(*args):
        asked.append(args)
        raise OSError("no room")

    with monkeypatch.context() as once:
        once.setattr(Server, "takes_files", lambda self, place: takes)
        once.setattr(MlflowClient, "log_artifact", full)
        code, out, told = send()
    assert (code, told) == (0, f"the server has no pictures and results: {NOT_TAKEN[takes]}\n")
    assert (out.endswith("# 2 new, and 48 numbers\n"), len(asked)) == (True, int(takes))
    assert send()[2] == "", "it takes them now"
    assert {name: one.file("grid.png", tmp_path) for name, one in runs_of(uri).items()} == {
        "trial 0": grid(0, 200),
        "trial 1": grid(1, 100),
    }


def test_the_commit_is_where_mlflow_looks_for_it(tmp_path, send, uri, monkeypatch):
    World(tmp_path).trial([0.5]).close()
    facts = {"code": f"{'5' * 40} with changes", "task network": "model 7a5c", "seeds": "7"}
    monkeypatch.setattr(report_mlflow_run, "trace", lambda *_: Provenance(facts, "", "", (), ""))
    send()
    tags = runs_of(uri)["trial 0"].tags
    assert tags["mlflow.source.git.commit"] == "5" * 40
    assert (tags["i2i.code"], tags["i2i.task_network"]) == (facts["code"], "model 7a5c")


@pytest.mark.slow
def test_a_real_server_has_every_number_once_and_the_files(tmp_path, send):
    if reason := missing():
        pytest.skip(reason)
    world = World(tmp_path).trial([0.5, 0.4]).trial([0.3], "running").write()
    place = tmp_path / "server"
    place.mkdir()
    with mlflow_server(place) as server:
        assert send(server)[1].endswith("# 2 new, and 48 numbers\n")
        world.report(1, 200, {"eval/l1": math.inf}, pictures=True)
        world.close("interrupted")
        assert send(server.replace("//", "//user:secret@"))[1].endswith("# 0 new, and 8 numbers\n")
        assert send(server)[1:] == (f"runs of 2 trials: experiment toy of {server}    # 0 new, and 0 numbers\n", "")
        runs = runs_of(server)
        assert runs["trial 0"].metrics["eval/l1"] == [(100, 0.5, FLOOR + 5000), (200, 0.4, FLOOR + 8000)]
        assert all(math.isnan(value) for _, value, _ in runs["trial 0"].metrics["loss/l1"])
        assert runs["trial 1"].steps("eval/l1") == [100, 200]
        assert runs["trial 1"].file("grid.png", tmp_path) == grid(1, 200)
