"""A head's pod asks its drivers to save before it goes: real processes, found by their command lines."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.targets.kubernetes_farewell import drivers, farewell

# A driver that saves, which takes it a moment, and one that does not listen.
SAVES = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(130)); print('ready', flush=True); signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"


@pytest.fixture(name="start")
def start_fixture(tmp_path):
    """Starts a Python program under a name and with words like the ones of a command line."""
    started = []

    def start(program: str, *words: str, name: str = "i2i-cluster") -> subprocess.Popen[str]:
        script = tmp_path / name
        script.write_text(program)
        made = subprocess.Popen([sys.executable, str(script), *words], stdout=subprocess.PIPE, text=True)
        started.append(made)
        assert made.stdout is not None and made.stdout.readline() == "ready\n"
        return made

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.fixture(name="only")
def only_fixture(tmp_path):
    """A /proc that holds some processes alone: others of this machine may run drivers of their own."""
    folder: Path = tmp_path / "proc"
    folder.mkdir()

    def only(*processes: subprocess.Popen[str]) -> Path:
        for one in processes:
            (folder / str(one.pid)).symlink_to(f"/proc/{one.pid}")
        return folder

    return only


def test_a_driver_is_asked_and_waited_for(start, only):
    driver = start(SAVES, "drive", "/etc/i2i/sweep.yaml", "--expect", "0123456789ab")
    assert farewell(30.0, only(driver)) == []
    assert driver.wait(30) == 130


def test_who_does_not_listen_is_named(start, only):
    driver = start(DEAF, "drive", "-")
    assert farewell(0.3, only(driver)) == [driver.pid]
    assert driver.poll() is None


def test_nobody_else_is_asked(start, only):
    others = [
        start(DEAF, "submit", "drive", name="i2i-cluster-2"),
        start(DEAF, "k8s", "farewell"),
        start(DEAF, "-c", "i2i-cluster drive -", name="sh"),
    ]
    folder = only(*others)
    assert drivers(folder) == []
    assert farewell(0.0, folder) == []


def test_a_driver_that_has_ended_and_was_not_asked_for_is_not_waited_for(start, only):
    driver = start(SAVES, "drive", "-")
    folder = only(driver)
    driver.send_signal(signal.SIGTERM)
    os.waitid(os.P_PID, driver.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
    assert drivers(folder) == []
