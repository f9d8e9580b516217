"""`results -o json` and results.parquet: what scripts and other tools read."""

import json
import math

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from orchestrator.results.results import describe_results
from orchestrator.results.table import results_fingerprint, results_parquet
from tests.orchestrator.unrun import ID, L1, SSIM, STEPS, Log

OLD = {"name", "id", "state", "reason", "objective", "best", "trials"}
OLD_BEST = {"index", "id", "value", "gain", "step", "params", "grid", "model"}
OLD_TRIAL = {"index", "id", "state", "step", "params", "metrics", "train_seconds", "failures", "error"}


@pytest.fixture
def described(tmp_path):
    """What JSON makes of a log's results."""
    return lambda log: json.loads(json.dumps(describe_results(log.found(tmp_path)), allow_nan=False))


@pytest.fixture
def read(tmp_path):
    """The table of a log, read back."""
    return lambda log: parquet.read_table(pa.BufferReader(results_parquet(log.found(tmp_path), "abc")))


def test_an_old_log_of_one_seed_has_all_it_had(described):
    found = described(Log().trial([0.5, 0.4]).trial([0.4, 0.2], "stopped").trial([math.nan], "failed", error="x"))
    assert found.keys() >= OLD
    assert found["best"].keys() >= OLD_BEST
    assert all(trial.keys() >= OLD_TRIAL for trial in found["trials"])
    assert found["objective"] == L1
    assert {key: found["best"][key] for key in ("index", "id", "setting", "value", "step")} == {
        "index": 1, "id": f"{ID}-0001", "setting": 1, "value": 0.2, "step": 200
    }  # fmt: skip
    assert found["best"]["gain"] == pytest.approx(0.2)
    assert (found["front"], found["hypervolume"], found["knee"], found["reference"]) == ([1], None, None, None)
    assert (found["stopped"], found["steps_saved"], found["steps_possible"]) == ({"scheduler": 1}, 200, 1200)
    assert found["spent"] and not any(found["spent"].values()), "nobody knows for how long it ran"
    assert found["trials"][2]["metrics"]["eval/l1"] is None


def test_what_was_spent_is_told_by_budget(described):
    log = Log(gpus=2, cpus=4, price=1.5).trial([0.5, 0.4])
    for number, record in enumerate(log.records):
        record["at"] = 1800.0 * number
    spent = described(log)["spent"]
    assert (spent["gpu_hours"], spent["cpu_hours"], spent["cost"]) == (3.0, 6.0, 4.5)


def test_the_preset_gains_nothing_over_itself(described):
    assert described(Log().trial([0.5]))["best"]["gain"] == 0


def test_settings_are_told_in_their_order(described):
    log = Log(seeds=2, constraints=["eval/l1 <= 0.6"]).seeds(0, [0.5, 0.75]).seeds(1, [0.25, 0.5])
    one, two = described(log)["settings"]
    assert one == {
        "setting": 1,
        "rank": 1,
        "state": "done",
        "step": STEPS,
        "params": {"weights.cyc": 11.0},
        "trials": [2, 3],
        "count": 2,
        "of": 2,
        "lost": 0,
        "finalist": False,
        "values": {"eval/l1": 0.375},
        "spread": {"eval/l1": pytest.approx(0.125 * 2**0.5)},
        "gain": {"eval/l1": {"mean": 0.25, "spread": 0}},
        "constraints": {"eval/l1 <= 0.6": 0.5},
        "violation": 0,
        "may_be_named": True,
    }
    assert (two["rank"], two["setting"], two["may_be_named"]) == (2, 0, False)
    assert two["constraints"] == {"eval/l1 <= 0.6": 0.75}
    assert two["gain"]["eval/l1"] == {"mean": 0, "spread": 0}


def test_several_objectives_have_a_front_a_volume_and_a_knee(described):
    log = Log(objectives=[L1, SSIM])
    for l1, ssim in [(0.5, 0.5), (0.25, 0.75), (0.75, 0.8125)]:
        log.trial({STEPS: {"eval/l1": l1, "eval/ssim": ssim}})
    found = described(log)
    assert (found["front"], found["knee"], found["best"]["index"]) == ([1, 2], 1, 1)
    assert found["reference"] == {"eval/l1": 0.75, "eval/ssim": 0.5}
    assert found["hypervolume"] == 0.5 * 0.25, "the trial that sets the reference adds nothing"
    assert found["objectives"] == [L1, SSIM]


def test_where_none_may_be_named_nobody_is_best(described):
    found = described(Log(objectives=[L1, SSIM], constraints=["eval/l1 <= 0.1"]).trial({}, "running").trial([0.5]))
    assert (found["best"], found["front"], found["hypervolume"], found["knee"]) == (None, [], None, None)
    assert found["reference"] == {}
    kept = described(Log(constraints=["eval/l1 <= 0.1"]).trial([0.5]))
    assert (kept["best"], kept["settings"][0]["violation"]) == (None, 0.4)


def test_a_missing_value_is_null_and_so_is_its_violation(described):
    (one,) = described(Log(constraints=["eval/ssim >= 1"]).trial([0.5]))["settings"]
    assert (one["constraints"], one["violation"]) == ({"eval/ssim >= 1": None}, None)


def test_who_stopped_a_trial_and_from_whom_it_went_on_is_told(described):
    log = Log().trial([0.9, 0.8], "running").trial([0.4, 0.3], "stopped", by="no_gain", why="no_gain: nothing")
    log.clone(0, 1, 200, **{"weights.cyc": 13.0})
    zero, one = described(log)["trials"]
    assert zero["lineage"] == [{"step": 200, "from": 1, "params": {"weights.cyc": 13.0}}]
    assert (one["by"], one["why"], one["lineage"]) == ("no_gain", "no_gain: nothing", [])


def test_importance_is_told_or_why_it_is_not(described):
    few = described(Log().trial([0.1]))["importance"]
    assert few == {"settings": 1, "by_metric": {}, "note": "no axis has two values"}
    log = Log()
    for value in range(8):
        log.trial([value / 8])
    many = described(log)["importance"]
    assert (many["settings"], many["note"]) == (8, "")
    assert many["by_metric"] == {"eval/l1": [{"axis": "weights.cyc", "share": 1.0, "chance": 0.04}]}


def test_the_table_has_a_row_per_trial(read):
    log = Log(seeds=2, finalists={"settings": 1, "seeds": 1}).seeds(0, [0.5, 0.4]).seeds(1, [0.3, 0.2])
    log.seeds(1, [0.4], "stopped", first=2, finalist=True, by="collapse")
    rows = read(log).to_pylist()
    assert list(rows[0]) == [
        "index", "id", "setting", "seed", "finalist", "state", "by", "step", "train_seconds", "params/weights.cyc",
        "eval/l1", "time/train_seconds",
    ]  # fmt: skip
    assert [(row["index"], row["setting"], row["seed"], row["finalist"], row["by"]) for row in rows] == [
        (0, 0, 0, False, None),
        (1, 0, 1, False, None),
        (2, 1, 0, False, None),
        (3, 1, 1, False, None),
        (4, 1, 2, True, "collapse"),
    ]
    assert [row["eval/l1"] for row in rows] == [0.5, 0.4, 0.3, 0.2, 0.4]


def test_columns_without_a_value_have_a_kind_all_the_same(read):
    schema = read(Log().trial([0.5])).schema
    assert (schema.field("seed").type, schema.field("by").type) == (pa.int64(), pa.string())


def test_values_of_an_axis_that_mixes_kinds_become_words(read):
    log = Log(axes={"hyper.gan": "choice of ..."}).trial([0.5], params={"hyper.gan": True})
    assert read(log.trial([0.5], params={"hyper.gan": "lsgan"}))["params/hyper.gan"].to_pylist() == ["True", "lsgan"]


def test_a_table_says_of_which_log_it_is(tmp_path):
    assert results_fingerprint(results_parquet(Log().trial([0.5]).found(tmp_path), "abc")) == "abc"
