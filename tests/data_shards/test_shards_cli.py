import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from data_shards.manifest import Manifest
from orchestrator import cli


@pytest.fixture
def run(monkeypatch, capsys):
    """run("stat", "folder") -> (exit code, standard output, standard error) of `i2i-cluster shards`."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["i2i-cluster", "shards", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run


def test_build_says_what_it_does_and_does_it_once(run, tmp_path: Path):
    command = ("build", "openmoji", str(tmp_path / "out"), "--size", "16", "--limit", "30")
    code, out, err = run(*command)
    assert code == 0
    assert out.startswith(f"made {tmp_path}/out\n")
    assert "CC BY-SA 4.0" in out
    assert re.fullmatch(r"openmoji: (\d+) of \1", err.splitlines()[-1])
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path}/out is up to date, nothing was done\n")


def test_stat(run, negatives: Manifest):
    code, out, _ = run("stat", negatives.uri)
    assert code == 0
    assert negatives.sha256 in out
    code, out, _ = run("stat", negatives.uri, "-o", "json")
    told = json.loads(out)
    assert told["pairs"] == {split: len(negatives.pairs(split)) for split in ("train", "validation")}
    assert told["pictures"]["a"]["train"] == negatives.domains["a"].train


def test_refusals_are_one_line_and_exit_2(run, tmp_path: Path):
    for command in (("stat", str(tmp_path)), ("build", "folder", "out", "--from", "nowhere"), ("stat", "s3://b/k")):
        code, out, err = run(*command)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1


def test_help_brings_in_nothing_heavy() -> None:
    code = (
        "import sys, orchestrator.shards_cli\n"
        "print([name for name in ('numpy', 'pyarrow', 'PIL', 'torch', 'ray') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout == "[]\n"
