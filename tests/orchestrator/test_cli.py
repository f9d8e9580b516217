"""The command line as a user meets it: exit codes, one line for a mistake, plain text in a pipe, little to load."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.log.store import FileLog
from orchestrator import cli
from trainers.systems.catalog import SYSTEMS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "ray", "pyarrow", "numpy", "pydantic", "rich", "prometheus_client")
SWEEP = """
name: toy
system: cyclegan
data: {{uri: {uri}, image: 64, batch: 4}}
steps: 1000
search: {{weights.lambda_cyc: {{log_uniform: [1, 30]}}}}
trials: 25
objective: {{metric: eval/l1}}
resources: {{cpus_per_worker: 0.5}}
hyper: {{width: 4, blocks: 1, critic: patch16, critic_width: 4}}
"""


@pytest.fixture
def sweep(tmp_path, shards):
    file = tmp_path / "sweep.yaml"
    file.write_text(SWEEP.format(uri=shards))
    return file


def loaded_by(*arguments):
    """(exit code, standard error, heavy modules loaded) of the command line in a fresh process."""
    code = (
        f"import sys; sys.argv = ['i2i-cluster', *{list(map(str, arguments))!r}]\n"
        "from orchestrator.cli import main\n"
        "try:\n    main()\nfinally:\n"
        f"    print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    return done.returncode, done.stderr, done.stdout.splitlines()[-1].split()


def test_help_loads_nothing(run):
    assert loaded_by("--help") == (0, "", [])


@pytest.mark.parametrize(
    ("text", "line", "needed"),
    [
        ("a: [", "not valid YAML: line 1, column 5: expected the node content, but found '<stream end>'", ["pydantic"]),
        ("- a", "must hold `key: value` lines at its top level, not a list or a single value", ["pydantic"]),
    ],
)
def test_a_file_that_cannot_be_read_loads_little_and_shows_no_traceback(tmp_path, text, line, needed):
    file = tmp_path / "sweep.yaml"
    file.write_text(text)
    assert loaded_by("plan", file) == (2, f"error: {file}: {line}\n", needed)


def test_list_loads_neither_torch_nor_ray(tmp_path):
    code, _, loaded = loaded_by("list", "--storage", tmp_path)
    assert code == 0
    assert not {"torch", "ray", "pyarrow", "prometheus_client"}.intersection(loaded)


def test_plan_shows_what_would_run(run, sweep):
    code, out, err = run("plan", sweep)
    assert (code, err) == (0, "")
    for told in (
        "toy at 64 x 64 pixels: to train a 90, b 90; to validate a 10, b 10, with truth",
        "1000 steps of 4 samples on 1 replica (4000 samples seen), seed 0",
        "25: the preset and 24 by random",
        "eval/l1 (min)",
        "data.replicas 1",
        "log-uniform from 1 to 30",
        "\u03b1_2A / \u03bb_A / \u03bb_cyc",
        "... and 5 more (-o json lists them)",
    ):
        assert told in out
    assert "\x1b" not in out


def test_a_pipe_that_knows_ascii_alone_is_served(sweep):
    command = [sys.executable, "-m", "orchestrator.cli", "plan", str(sweep)]
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "?_2A / ?_A / ?_cyc" in done.stdout


def test_plan_as_json_can_be_piped(run, sweep):
    code, out, err = run("plan", sweep, "-o", "json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["storage"].endswith(f"/{told['id']}")
    assert told["search"][0]["preset"] == 10
    assert told["search"][0]["distribution"] == {"log_uniform": [1, 30]}
    assert len(told["trials"]) == 25
    idt = next(term for term in told["terms"] if term["term"] == "idt_a")
    assert (idt["weight"], idt["effective"]) == (0.5, 5)


def test_plan_writes_nothing(run, sweep, monkeypatch):
    monkeypatch.chdir(sweep.parent)
    run("plan", sweep)
    assert [file.name for file in sweep.parent.iterdir()] == ["sweep.yaml"]


def test_every_mistake_is_a_line(run, sweep):
    sweep.write_text(
        sweep.read_text()
        .replace("trials: 25", "trials: 25\nweights: {cycl: 1}")
        .replace("width: 4, blocks", "width: 0, blocks")
    )
    code, out, err = run("plan", sweep)
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith(f"error: {sweep}: weights.cycl: unknown weight 'cycl' for cyclegan; nearest: cyc; has: ")
    assert second == f"error: {sweep}: hyper.width: must be at least 1, not 0"


def test_a_bug_is_not_dressed_up_as_a_mistake(monkeypatch):
    def broken():
        raise ValueError("ours")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(ValueError, match="ours"):
        cli.main()


@pytest.mark.parametrize(
    ("arguments", "told"), [(["plna"], "Did you mean 'plan'"), (["plan"], "SWEEP.YAML"), (["--x"], "--x")]
)
def test_a_wrong_command_line_is_a_wrong_request(run, arguments, told):
    code, _, err = run(*arguments)
    assert code == 2
    assert told in err


def test_systems_are_listed_and_shown(run):
    assert "cyclegan" in run("systems")[1]
    out = run("systems", "cyclegan")[1]
    assert "lambda_cyc" in out
    assert "critic_turns" in out
    names = [system["name"] for system in json.loads(run("systems", "-o", "json")[1])]
    assert names == list(SYSTEMS)
    assert json.loads(run("systems", "pix2pix", "-o", "json")[1])["paired"] is True
    code, _, err = run("systems", "pix2pixx")
    assert (code, err) == (2, f"error: unknown system 'pix2pixx'; nearest: pix2pix; has: {', '.join(SYSTEMS)}\n")


def test_the_schema_is_printed(run):
    assert json.loads(run("schema")[1])["additionalProperties"] is False


def test_sweeps_are_listed(run, tmp_path):
    log = FileLog(tmp_path / "0123456789ab" / "log.jsonl")
    log.append("opened", id="0123456789ab", name="toy", attempt=1, about={"system": "cyclegan", "trials": 2})
    log.append("suggested", trial=0, params={})
    log.append("ended", trial=0, state="done")
    log.close()
    (row,) = json.loads(run("list", "--storage", tmp_path, "-o", "json")[1])
    assert (row["name"], row["system"], row["trials"], row["failed"]) == ("toy", "cyclegan", "1 of 2", 0)
    assert row["state"] == "interrupted"  # the log says running, and nobody holds it
    assert "0123456789ab" in run("list", "--storage", tmp_path)[1]


def test_a_newer_sweep_does_not_hide_the_others(run, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "log.jsonl").write_text('{"v": 99, "kind": "opened"}\n')
    (row,) = json.loads(run("list", "--storage", tmp_path, "-o", "json")[1])
    assert "version 99" in row["state"]


def test_no_sweeps_is_no_error(run, tmp_path):
    assert run("list", "--storage", tmp_path / "none") == (0, "", f"no sweeps in {tmp_path}/none\n")
    assert run("list", "--storage", tmp_path / "none", "-o", "json")[:2] == (0, "[]\n")
