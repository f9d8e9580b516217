"""What the bits depend on is recorded, and a run does not go on under other conditions unless that was asked for."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cluster.checkpoints.folder import Checkpoints
from cluster.conditions import OtherConditions, check_conditions, conditions
from cluster.layout import SweepPaths
from cluster.report import Place, Report
from cluster.run import Run
from cluster.training import train
from cluster.workers.trial import train_or_tell
from data_shards.store import open_store


def stop_after(steps: int) -> Callable[[Report], bool]:
    return lambda report: report.step < steps


def about(run: Run) -> dict[str, Any]:
    found = Checkpoints(open_store(run.storage), SweepPaths(run.sweep).checkpoints(run.trial)).newest()
    assert found is not None
    return dict(found.about)


def test_a_checkpoint_says_where_it_comes_from(run):
    train(run, Place(), stop_after(2), lambda: None)
    told = about(run)
    assert told["conditions"] == conditions(run, "cpu")
    assert told["conditions"]["device"].startswith("cpu with ")
    assert told["conditions"]["arithmetic"] == "fp32, contiguous, exact"
    assert [(one["from_step"], one["workers"], one["inexact"]) for one in told["history"]] == [(0, 1, [])]
    assert told["provenance"]["packages"]["torch"] == told["conditions"]["torch"]
    assert told["provenance"]["processor"]
    train(run, Place(), lambda report: True, lambda: None)
    assert [one["from_step"] for one in about(run)["history"]] == [0, 2]


def test_other_conditions_are_refused_unless_they_are_asked_for(run, monkeypatch):
    train(run, Place(), stop_after(2), lambda: None)
    monkeypatch.setattr("cluster.conditions.version", lambda name: "0.1")
    told: list[Report] = []
    assert not train_or_tell(run, Place(), lambda report: bool(told.append(report)))  # type: ignore[func-returns-value]
    (report,) = told
    assert report.outcome == "halted"
    assert report.error is not None
    assert report.error.startswith("the checkpoint of step 2 was made under other conditions (")
    assert re.search(r"; torch \S+ there, 0.1 here", report.error)
    assert report.error.endswith("submit with --allow-inexact")
    train(replace(run, allow_inexact=True), Place(), lambda report: True, lambda: None)
    last = about(run)["history"][-1]
    assert last["from_step"] == 2
    assert any(line.startswith("torch ") for line in last["inexact"])


def test_what_is_not_recorded_is_not_compared():
    assert check_conditions({}, {"torch": "2"}, 5, allowed=False) == []
    assert check_conditions({"torch": "2"}, {"torch": "2", "new": "1"}, 5, allowed=False) == []
    with pytest.raises(OtherConditions, match=r"step 5 .*\(torch 1 there, 2 here\)"):
        check_conditions({"torch": "1"}, {"torch": "2"}, 5, allowed=False)


def test_what_the_libraries_below_are_told_is_a_condition(run, monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    before = conditions(run, "cpu")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    with pytest.raises(OtherConditions, match=r"ONEDNN_MAX_CPU_ISA unset.* there, ONEDNN_MAX_CPU_ISA SSE41"):
        check_conditions(before, conditions(run, "cpu"), 5, allowed=False)
    with pytest.raises(OtherConditions, match=r"avx512 was asked for|default was asked for"):
        other = "default" if before["device"] != "cpu with DEFAULT" else "avx512"
        conditions(replace(run, cpu_capability=other), "cpu")


def test_bf16_is_of_processors_that_multiply_in_it(run, monkeypatch):
    coarse = replace(run, precision="bf16")
    monkeypatch.setattr("cluster.conditions.bf16_units", lambda: ["avx512_bf16"])
    assert conditions(coarse, "cpu")["device"] == f"{conditions(run, 'cpu')['device']} and avx512_bf16"
    monkeypatch.setattr("cluster.conditions.bf16_units", list)
    with pytest.raises(
        OtherConditions, match=r"bf16 was asked for, and this processor has no bf16 units \(avx512_bf16"
    ):
        conditions(coarse, "cpu")
    assert conditions(run, "cpu")["device"]
