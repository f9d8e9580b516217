"""One driver per sweep, as long as it lives and no longer."""

import os
import signal
import subprocess
import sys

import pytest

from cluster.log.lock import SweepBusy, is_locked, locked

HOLDER = """
import sys, time
from pathlib import Path
from cluster.log.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sweep" / "driver.lock"


@pytest.fixture
def holder(path):
    """Another process that drives the sweep."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_driver_is_refused_by_name_until_the_first_is_killed(path, holder):
    assert is_locked(path)
    with pytest.raises(SweepBusy, match=f"by process {holder.pid}; wait for it, or stop it first"), locked(path):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert not is_locked(path)
    path.write_text("12345678901234567890\n")
    with locked(path):
        assert path.read_text() == f"{os.getpid()}\n", "a shorter number leaves nothing of a longer one"


def test_it_is_held_while_driving_and_free_after(path):
    assert not is_locked(path), "a sweep that never ran"
    with pytest.raises(KeyError), locked(path):
        assert is_locked(path)
        with pytest.raises(SweepBusy, match=f"by process {os.getpid()};"), locked(path):
            pass
        raise KeyError("the driver fails")
    assert not is_locked(path)
    with locked(path):
        pass


def test_looking_does_not_take_it(path):
    with locked(path):
        pass
    assert not is_locked(path)
    with locked(path):
        assert is_locked(path)
        assert is_locked(path)
