"""A compiled run: what it tells, what it records, and that it goes on to the byte."""

from dataclasses import replace

import pytest

from cluster.checkpoints.folder import Checkpoints
from cluster.conditions import OtherConditions, conditions
from cluster.layout import SweepPaths
from cluster.processor import compiler
from cluster.report import Place, Report
from cluster.run import Run
from cluster.training import train
from data_shards.store import open_store

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler here")


def newest(run):
    found = Checkpoints(open_store(run.storage), SweepPaths(run.sweep).checkpoints(run.trial)).newest()
    assert found is not None
    return found


@needs_compiler
def test_a_compiled_run_tells_how_long_that_took_and_goes_on_to_the_byte(run: Run):
    run = replace(run, compile=True)
    told: list[Report] = []
    train(run, Place(), lambda report: not told.append(report), lambda: None)  # type: ignore[func-returns-value]
    assert told[-1].outcome == "done"
    spent = [report.metrics["time/compile_seconds"] for report in told if "time/compile_seconds" in report.metrics]
    assert spent[0] > 0 and spent[-1] == spent[1], "in the first steps, and not at each"
    kept = newest(run).about["conditions"]
    assert kept["arithmetic"] == "fp32, contiguous, exact, compiled"
    assert compiler() and kept["compiler"]

    disturbed = replace(run, trial=1)
    train(disturbed, Place(), lambda report: report.step < 2, lambda: None)
    train(disturbed, Place(), lambda report: True, lambda: None)
    assert newest(disturbed).digest == newest(run).digest


def test_a_machine_without_a_compiler_says_so(run: Run, monkeypatch):
    monkeypatch.setattr("cluster.conditions.compiler", lambda: None)
    with pytest.raises(OtherConditions, match=r"compile: true was asked for, and \S+ has no C\+\+ compiler \(.*CXX"):
        conditions(replace(run, compile=True), "cpu")
    assert "compiler" not in conditions(run, "cpu")
