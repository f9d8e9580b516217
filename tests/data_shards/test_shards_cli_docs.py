"""What docs/data.md shows can be run, from its top to its end."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = "http://127.0.0.1:8333"
SHELL = 'i2i-cluster() { "$PYTHON" -m orchestrator.cli "$@"; }; python() { "$PYTHON" "$@"; }; set -eu; '


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path: Path, bucket: str) -> None:
    page = (ROOT / "docs" / "data.md").read_text()
    commands = "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    assert commands.count("i2i-cluster shards ") > 10
    assert SERVER in commands
    script = SHELL + commands.replace(SERVER, bucket.partition("endpoint=")[2])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "openmoji.png").exists()
    assert (tmp_path / "mine/manifest.parquet").exists()
