"""Processes that hang in several ways: each ends by itself, and what is left says where it stood."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from cluster.workers.watchdog import STALLED, of_attempt, stalls
from data_shards.store import FolderStore

FOLDER = "s1/trials/0000/stalls"
BEGIN = """
import ctypes, os, sys, threading, time
from cluster.workers import watchdog
from cluster.workers.watchdog import Watchdog, of_attempt
from data_shards.store import FolderStore

watchdog.PEERS_S = 0.0
store = FolderStore(sys.argv[1])
def watched(store=store, limit=0.5):
    return Watchdog(limit, of_attempt("s1/trials/0000/stalls", 3), store, rank=1)
"""


def process(tmp_path, code):
    """A process that runs `code` over a store in tmp_path."""
    (tmp_path / "stuck.py").write_text(BEGIN + code)
    return subprocess.Popen(
        [sys.executable, tmp_path / "stuck.py", tmp_path / "store"],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_stalled_step_ends_the_process_and_says_where(tmp_path):
    os.makedirs(tmp_path / "store")
    os.mkfifo(tmp_path / "store/never")
    child = process(
        tmp_path,
        "with watched() as dog:\n"
        "    threading.Thread(target=time.sleep, args=(600,), name='bystander', daemon=True).start()\n"
        "    dog.beat(40, 'evaluating')\n"
        "    dog.beat(41, 'training')\n"
        "    store.read('never')\n",
    )
    _, errors = child.communicate(timeout=60)
    assert child.returncode == STALLED, errors
    store = FolderStore(tmp_path / "store")
    (line,) = stalls(store, FOLDER, 3)
    where = rf"on rank 1 \(.+, pid {child.pid}\) while training, in store.py:\d+ read$"
    assert re.match(rf"step 41 stalled for \d+ s {where}", line)
    assert line in errors
    text = store.read(f"{of_attempt(FOLDER, 3)}/stall-step-00000041-rank-1.txt").decode()
    assert text.index("MainThread:\n") < text.index("bystander:\n"), "the one that stalls comes first"
    assert 'stuck.py"' in text
    assert stalls(store, FOLDER, 4) == [], "another start of the trial"


def test_a_start_that_takes_too_long_is_a_stall_too(tmp_path):
    child = process(tmp_path, "with watched():\n    time.sleep(600)\n")
    _, errors = child.communicate(timeout=60)
    assert child.returncode == STALLED, errors
    (line,) = stalls(FolderStore(tmp_path / "store"), FOLDER, 3)
    assert re.search(r"^step 0 stalled .* while starting, in stuck.py:\d+ <module>$", line)


def test_a_store_that_hangs_does_not_keep_it_alive(tmp_path):
    child = process(
        tmp_path,
        "class Hung(FolderStore):\n"
        "    def write(self, path, data):\n"
        "        time.sleep(600)\n"
        "watchdog.WRITE_S = 0.2\n"
        "with watched(Hung(sys.argv[1])):\n"
        "    time.sleep(600)\n",
    )
    _, errors = child.communicate(timeout=60)
    assert child.returncode == STALLED
    assert "stalled for" in errors


def test_a_thread_that_keeps_the_lock_of_python_is_ended_too(tmp_path):
    child = process(tmp_path, "with watched() as dog:\n    ctypes.PyDLL(None).sleep(600)\n")
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    assert "Timeout" in errors
    assert "stuck.py" in errors


def test_a_process_that_was_stopped_for_longer_is_not_blamed(tmp_path):
    child = process(
        tmp_path,
        "with watched(limit=2.0) as dog:\n"
        "    step = 0\n"
        "    while not os.path.exists(sys.argv[1] + '.end'):\n"
        "        dog.beat(step := step + 1, 'training')\n"
        "        if step == 3:\n"
        "            print('up', flush=True)\n"
        "        time.sleep(0.05)\n",
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    os.kill(child.pid, signal.SIGSTOP)
    time.sleep(4)  # twice the limit: there is nothing to wait for, a stopped process does nothing
    os.kill(child.pid, signal.SIGCONT)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(1.5)  # a watchdog that counted the stop would have ended it at its next look
    (tmp_path / "store.end").touch()
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors


def test_a_worker_that_waits_for_the_driver_is_not_blamed(tmp_path):
    child = process(
        tmp_path,
        "from cluster.report import WAITING\n"
        "with watched() as dog:\n"
        "    dog.beat(40, WAITING)\n"
        "    time.sleep(2)\n"  # four times the limit
        "    dog.beat(41, 'training')\n",
    )
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
