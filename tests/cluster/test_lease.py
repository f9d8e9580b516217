"""One driver per sweep where nothing can be locked: by what real processes do, and by a stopwatch of one's own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cluster.layout import SweepPaths
from cluster.log import lease
from cluster.log.lease import DEAD_S, FRESH_S, Claim, is_leased, leased
from cluster.log.lock import SweepBusy
from cluster.log.store import open_log, read_log, read_state
from tests.cluster.conducting import RemoteStore

ROOT = Path(__file__).resolve().parents[2]
PATHS = SweepPaths("a1")
FOLDER = PATHS.claims
ELSEWHERE = Claim("far", "another boot", 1, "7", "x")
DRIVER = """
import sys
from cluster.log import lease
from cluster.layout import SweepPaths
from cluster.log.lock import SweepBusy
from cluster.log.store import open_log
from tests.cluster.conducting import RemoteStore
lease.BEAT_S = 0.05
store, paths = RemoteStore(sys.argv[1]), SweepPaths("a1")
with lease.leased(store, paths.claims) as number:
    log = open_log(store, paths, number)
    log.append("opened", id="a1", name="toy", attempt=1, about={})
    print(number, flush=True)
    for line in sys.stdin:
        try:
            log.append("suggested", trial=0, params={"of": number})
        except SweepBusy as busy:
            print(busy, flush=True)
            raise
"""


@pytest.fixture
def store(tmp_path):
    return RemoteStore(tmp_path)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Signs of life come fast, for whoever waits for one."""
    monkeypatch.setattr(lease, "BEAT_S", 0.05)
    monkeypatch.setattr(lease, "LOOK_S", 0.02)


@pytest.fixture
def driver(store):
    """Another process that drives the sweep."""
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, store.uri],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == "1\n", process.stderr.read()
        yield process
        process.kill()


def claim(store, number, *, of=ELSEWHERE, raw=None):
    """A claim that somebody made."""
    store.write(f"{FOLDER}/{number:08d}.json", raw or json.dumps({"format": 1, **asdict(of)}).encode())


class Clock:
    """A stopwatch that only sleeping and slow stores move."""

    def __init__(self, monkeypatch, during=lambda clock: None):
        self.now, self._during = 0.0, during
        monkeypatch.setattr(lease, "LOOK_S", 1.0)
        monkeypatch.setattr("cluster.log.lease.time.monotonic", lambda: self.now)
        monkeypatch.setattr("cluster.log.lease.time.sleep", self._sleep)

    def _sleep(self, seconds):
        self.now += seconds
        self._during(self)


def test_a_second_driver_is_refused_by_name_until_the_first_is_killed(store, driver, monkeypatch):
    assert is_leased(store, FOLDER)
    told = f"already being run by process {driver.pid} on {re.escape(socket.gethostname())}; wait for it, or stop it"
    with pytest.raises(SweepBusy, match=told), leased(store, FOLDER):
        pass
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert not is_leased(store, FOLDER)

    def sleep(seconds):
        raise AssertionError("nobody waits for a process of this machine that is gone")

    monkeypatch.setattr("cluster.log.lease.time.sleep", sleep)
    with leased(store, FOLDER) as number:
        assert number == 2


def test_a_frozen_driver_is_replaced_and_writes_nothing_when_it_wakes_up(store, driver, monkeypatch):
    os.kill(driver.pid, signal.SIGSTOP)
    os.waitpid(driver.pid, os.WUNTRACED)
    monkeypatch.setattr(lease, "DEAD_S", 0.3)
    with leased(store, FOLDER) as number:
        log = open_log(store, PATHS, number)
        log.append("opened", id="a1", name="toy", attempt=2, about={})
        before = read_log(store, PATHS)
        os.kill(driver.pid, signal.SIGCONT)
        driver.stdin.write("\n")
        driver.stdin.flush()
        assert driver.stdout.readline().startswith("another process drives this sweep by now: it wrote record 2")
        assert driver.wait() != 0
        assert read_log(store, PATHS) == before
        log.append("suggested", trial=0, params={"of": number})
        assert is_leased(store, FOLDER), "whatever the last words of the other were"
    assert read_state(store, PATHS).trials[0].params == {"of": 2}


def test_numbers_never_come_back_and_old_claims_go(store):
    assert not is_leased(store, FOLDER)
    for number in (1, 2, 3):
        with leased(store, FOLDER) as mine:
            assert mine == number
            assert is_leased(store, FOLDER)
        assert not is_leased(store, FOLDER), "it said that it ended"
        assert store.list(FOLDER) == [f"{FOLDER}/{number:08d}.json"]


def test_it_is_given_up_when_the_driver_fails(store):
    with pytest.raises(KeyError), leased(store, FOLDER):
        raise KeyError("the driver fails")
    assert not is_leased(store, FOLDER)


def test_of_many_at_once_one_gets_it(store):
    start, holding, got, refused = threading.Barrier(8), threading.Event(), [], []

    def drive():
        start.wait()
        try:
            with leased(store, FOLDER) as number:
                got.append(number)
                holding.wait()
        except SweepBusy as busy:
            refused.append(str(busy))
            if len(refused) == 7:
                holding.set()

    threads = [threading.Thread(target=drive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (got, len(refused)) == ([1], 7)


def test_a_holder_elsewhere_is_dead_when_it_was_still_for_long_enough(store, monkeypatch):
    claim(store, 4, of=replace(ELSEWHERE, at=4e9))  # a clock that is decades ahead says nothing
    clock = Clock(monkeypatch)
    with leased(store, FOLDER) as number:
        assert number == 5
    assert DEAD_S <= clock.now < DEAD_S + 2


def test_a_holder_elsewhere_that_moves_is_alive(store, monkeypatch):
    claim(store, 4)
    beats = iter(range(1, 99))

    def during(clock):
        if clock.now >= DEAD_S - 3:
            claim(store, 4, of=replace(ELSEWHERE, beat=next(beats)))

    Clock(monkeypatch, during)
    with pytest.raises(SweepBusy, match="already being run by process 1 on far; "), leased(store, FOLDER):
        pass
    assert [path[-13:] for path in store.list(FOLDER)] == ["00000004.json"]


def test_a_holder_elsewhere_that_ends_is_waited_for_no_longer(store, monkeypatch):
    claim(store, 4)
    clock = Clock(monkeypatch, lambda clock: claim(store, 4, of=replace(ELSEWHERE, released=True)))
    with leased(store, FOLDER) as number:
        assert (number, clock.now) == (5, 1.0)


def test_while_the_store_is_silent_nobody_dies(store, monkeypatch):
    claim(store, 4)
    clock = Clock(monkeypatch)
    silent = [25.0]  # seconds that the next listing takes
    listed = store.list

    def slow(prefix=""):
        if clock.now > 3:
            clock.now += silent.pop() if silent else 0.0
        return listed(prefix)

    monkeypatch.setattr(store, "list", slow)
    with leased(store, FOLDER):
        assert clock.now >= 4 + 25 + DEAD_S


def test_a_damaged_claim_is_nobody_s_for_long(store, monkeypatch):
    claim(store, 4, raw=b"nonsense")
    assert not is_leased(store, FOLDER)
    clock = Clock(monkeypatch)
    with leased(store, FOLDER) as number:
        assert number == 5
    assert clock.now >= DEAD_S


def test_a_number_that_went_to_another_process_is_not_its_holder(store, monkeypatch):
    with leased(store, FOLDER):
        holder = json.loads(store.read(f"{FOLDER}/00000001.json"))
    holder.pop("format")
    claim(store, 1, of=replace(Claim(**holder), released=False, born="1"))
    assert not is_leased(store, FOLDER)
    clock = Clock(monkeypatch)
    with leased(store, FOLDER):
        assert clock.now == 0.0


@pytest.mark.parametrize(("age", "alive"), [(FRESH_S - 9, True), (FRESH_S + 9, False)])
def test_a_reader_goes_by_the_age_that_a_claim_elsewhere_seems_to_have(store, monkeypatch, age, alive):
    claim(store, 4, of=replace(ELSEWHERE, at=1000.0))
    monkeypatch.setattr("cluster.log.lease.time.time", lambda: 1000.0 + age)
    assert is_leased(store, FOLDER) == alive


def test_a_slow_claimant_does_not_get_a_number_that_others_are_past(store):
    class SlowStore(RemoteStore):
        """Two drivers come and one of them goes while this one asks for its number."""

        def create(self, path, data):
            with leased(store, FOLDER):
                pass
            others.enter_context(leased(store, FOLDER))
            return super().create(path, data)

    with ExitStack() as others:
        with pytest.raises(SweepBusy, match="was just taken by another process"), leased(SlowStore(store.root), FOLDER):
            pass
        assert is_leased(store, FOLDER)
