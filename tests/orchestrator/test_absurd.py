"""Requests of absurd size or shape: each is answered at once, with one line and exit code 2, never a traceback."""

import sys
import time
from pathlib import Path

import pytest

from orchestrator import cli
from orchestrator.errors import Refusal
from orchestrator.planning import estimating
from orchestrator.planning.estimating import estimate_of
from orchestrator.planning.view import describe
from orchestrator.sweep_file.yaml_file import parse_yaml

DIGITS = "9" * 400
MOST = "must be at most 3.4e+38, the largest number that fp32 holds"
LEAST = "must be 0, or at least 1.2e-38, the smallest number that fp32 holds"
SEARCH = "objective: {metric: eval/l1}\ntrials: 4\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"steps: {DIGITS}k", "steps: must be at most 1000000000, not '9999"),
        ("steps: 2_000_000_000", "steps: must be at most 1000000000, not 2000000000"),
        ("data: {image: 8193}", "data.image: must be at most 8192, not 8193"),
        ("data: {batch: 65_537}", "data.batch: must be at most 65536, not 65537"),
        (f"data: {{cache: {{limit: {DIGITS}TB}}}}", "data.cache.limit: must be at most 1000TB, not '9999"),
        ("trials: 1m", "trials: must be at most 100000, not '1m'"),
        ("resources: {threads: 2k}", "resources.threads: must be at most 1024, not '2k'"),
        ("resources: {cpus_per_worker: 1e-300}", "resources.cpus_per_worker: must be at least 0.001, not 1e-300"),
        ("scheduler: {asha: {reduction: 1.01}}", "scheduler.asha.reduction: must be at least 1.1, not 1.01"),
        (
            "scheduler: {halving: {reduction: 1.0e+300}}",
            "scheduler.halving.reduction: must be at most 100000, not 1e+300",
        ),
        ("weights: {cyc: 1.0e+308}", f"weights.cyc: a weight {MOST}, not 1e+308"),
        ("weights: {cyc: 1.0e-320}", f"weights.cyc: a weight {LEAST}, not 1e-320"),
        ("hyper: {lr: 1.0e+39}", f"hyper.lr: {MOST}, not 1e+39"),
        ("hyper: {lr: 1.0e-39}", f"hyper.lr: {LEAST}, not 1e-39"),
        ("balance: {lr_ratio: 1.0e+300}", f"balance.lr_ratio: {MOST}, not 1e+300"),
        ("budget: {cpu_hours: 1.0e+308}", "budget.cpu_hours: must be at most 1e+12, not 1e+308"),
        ("budget: {cpu_hours: 1.0e-300}", "budget.cpu_hours: must be at least 1e-06, not 1e-300"),
        ("constraints: [eval/l1 <= 1e999]", f"constraints.0: the bound {MOST}, not 1e999"),
        (
            f"{SEARCH}search: {{weights.cyc: {{uniform: [1, 1.0e+308]}}}}",
            f"search.weights.cyc: a weight {MOST}, not 1e+308",
        ),
        (
            f"{SEARCH}search: {{weights.cyc: {{log_uniform: [1.0e-320, 1]}}}}",
            f"search.weights.cyc: a weight {LEAST}, not 1e-320",
        ),
        (f"{SEARCH}search: {{hyper.lr: {{choice: [1.0e+300]}}}}", f"search.hyper.lr: {MOST}, not 1e+300"),
        (
            f"{SEARCH}search: {{weights.cyc + weights.adv: {{sum: 1.0e+300}}}}",
            f"search.weights.cyc + weights.adv: a weight {MOST}, not 1e+300",
        ),
        (f"balance: {{lr_ratio: {DIGITS}}}", "balance.lr_ratio: is too large a number: 9999"),
        (f"hyper: {{width: {DIGITS}}}", "hyper.width: must be at most 4096, not 9999"),
    ],
)
def test_a_number_beyond_all_reason_is_told_in_one_line(refused, text, line):
    (told,) = refused(text)
    assert told.startswith(f"sweep.yaml: {line}")
    assert len(told) < 150


@pytest.mark.parametrize(
    ("storage", "line"),
    [
        ("README.md", "README.md is a file; give the path of a folder"),
        ("README.md/x", "README.md is a file; give the path of a folder"),
        ("gone/x", "gone is a link to nothing; give the path of a folder"),
        ("n" * 300, f"{'n' * 300} cannot be used: file name too long"),
        ("/proc/x", "/proc "),
        ('"a\\0b"', "'a\\x00b' holds a zero byte; give the path of a folder"),
        ("~nosuchperson/x", "'~nosuchperson/x' starts with the home folder of nobody here; give the path of a folder"),
    ],
)
def test_storage_that_cannot_work_is_told(refused, tmp_path, monkeypatch, storage, line):
    (tmp_path / "README.md").touch()
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    (told,) = refused(f"storage: {storage}")
    assert told.replace(f"{tmp_path}/", "").startswith(f"sweep.yaml: storage: {line}")


def test_storage_that_may_not_be_written_is_told(refused, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)  # root may write everywhere
    (told,) = refused(f"storage: {tmp_path}/x/y")
    assert told == f"sweep.yaml: storage: {tmp_path} may not be written; give the path of a folder that may"


def test_a_refusal_of_storage_is_exit_code_2(planned, tmp_path, monkeypatch, capsys):
    file = tmp_path / "sweep.yaml"
    uri = planned().data.uri
    file.write_text(f"system: cyclegan\ndata: {{uri: {uri}, image: 64}}\nsteps: 9\nstorage: {file}\n")
    monkeypatch.setattr(sys, "argv", ["i2i-cluster", "plan", str(file), "--no-measure"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {file}: storage: {file} is a file; give the path of a folder\n"


def laughs(levels: int, each: int) -> str:
    """YAML whose few lines of aliases stand for each ** levels values."""
    lines = ["l0: &l0 [1]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * each)}]" for i in range(1, levels)]
    return "\n".join(lines)


def chain(levels: int) -> str:
    """YAML that is nested more deeply by its aliases than by its brackets."""
    deeper = [f"l{i}: &l{i} [[[[*l{i - 1}]]]]" for i in range(1, levels)]
    return "\n".join(["l0: &l0 [1]", *deeper])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (laughs(12, 10), "more than 100,000 values, aliases written out: no sweep has as many"),
        (chain(30), "not valid YAML for a sweep: nested too deeply"),
        (chain(200), "not valid YAML for a sweep: nested too deeply"),
        (f"a: &a '{'x' * 10**6}'\nb: [{', '.join(['*a'] * 200)}]", "more than 100,000 values, "),
        (f"a: 0x{'f' * 20_000}", "a: cannot be read as int: '0xfff"),
    ],
    ids=["laughs", "chain", "long chain", "texts", "hex"],
)
def test_yaml_that_grows_is_refused_at_once(text, problem):
    started = time.monotonic()
    with pytest.raises(Refusal) as caught:
        parse_yaml(text, "s.yaml")
    (told,) = caught.value.lines()
    assert told.startswith(f"s.yaml: {problem}")
    assert time.monotonic() - started < 20


def test_a_hundred_thousand_trials_are_planned_in_seconds(planned):
    started = time.monotonic()
    search = "{hyper.lr: {log_uniform: [1e-5, 1e-3]}, hyper.width: {choice: [8, 16]}, weights.cyc: {uniform: [1, 2]}}"
    told = describe(planned(f"trials: 100_000\nobjective: {{metric: eval/l1}}\nsearch: {search}"))
    assert (len(told["trials"]), told["trial_count"]) == (1000, 100_000)
    assert time.monotonic() - started < 20


def test_a_step_too_large_to_try_gives_a_note_for_an_estimate(planned):
    plan = planned("data: {image: 8192, batch: 64}")
    why = "no estimate: a step on 64 pictures of 8192 x 8192 pixels is too much to try here"
    assert estimate_of(plan) == why
    told = describe(plan, why)
    assert told["estimate"] is None
    assert why in told["notes"]


def test_torch_out_of_memory_gives_a_note_for_an_estimate(planned, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("cannot allocate 9 TB\nat line 9")

    monkeypatch.setattr(estimating, "measure", fail)
    assert estimate_of(planned()) == "no estimate: a step could not be taken here: cannot allocate 9 TB"


def test_the_plan_of_a_relative_storage_is_absolute(planned, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert planned("storage: runs").storage == f"{tmp_path}/runs"
