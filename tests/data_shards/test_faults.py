"""Whatever the network does, every byte arrives right, or one error says what was tried.

Times are short so that the tests are quick; nothing here asserts how long anything takes.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from data_shards.counters import COUNTS, since
from data_shards.errors import Unreachable
from data_shards.store import Store, open_store
from data_shards.transfer import Patience
from tests.faults import KINDS, Faulty, Request, by_seed, faulty
from tests.seaweed import Seaweed

QUICK = Patience(
    deadline=120, window=0.3, connect_timeout=2, read_timeout=1, first_pause=0.01, longest_pause=0.2, minimum_rate=65536
)
LARGE = random.Random(0).randbytes(20 << 20)
SMALL = 10  # objects
CAUSES = {
    "503": {"status_5xx"},
    "slowdown": {"throttled"},
    "reset": {"reset"},
    "truncate": {"truncated", "reset"},
    "flip": {"corrupt"},
    "hang": {"timeout"},
    "lost": {"reset"},
}


def place(bucket: str) -> str:
    return bucket.removeprefix("s3://").partition("?")[0]


def behind(proxy: Faulty, bucket: str, patience: Patience = QUICK) -> Store:
    return open_store(proxy.uri(place(bucket)), patience)


def pass_everything(request: Request) -> None:
    pass


def use_everything(store: Store, folder: Path) -> None:
    """Every operation, small and in parts, with what it gave compared to what it should."""
    (folder / "source").write_bytes(LARGE)
    entry = store.upload("large", folder / "source")
    for _ in range(2):
        store.download("large", folder / "target", len(LARGE), entry.etag)
        assert (folder / "target").read_bytes() == LARGE
    assert store.read("large") == LARGE
    small = {f"small/{i:02d}": LARGE[3000 * i : 9000 * i] for i in range(SMALL)}
    for name, content in small.items():
        assert store.create(name, content)
        assert not store.create(name, b"another")
        assert store.read(name) == content
        assert store.exists(name)
        store.write(name, content[::-1])
    assert {name: entry.size for name, entry in store.entries("small/").items()} == {
        name: len(content) for name, content in small.items()
    }
    for name in small:
        store.delete(name)
    assert store.list() == ["large"]
    assert not store.exists("small/00")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "drip"])  # which changes nothing that is small
def test_no_fault_changes_a_byte(seaweed: Seaweed, bucket: str, tmp_path: Path, kind: str) -> None:
    before = COUNTS.snapshot()
    with faulty(seaweed.endpoint, by_seed(7, 0.1 if kind == "hang" else 0.3, [kind])) as proxy:
        use_everything(behind(proxy, bucket), tmp_path)
    assert proxy.done[kind] > 1
    assert any(since(before).get(f"retries_{cause}") for cause in CAUSES[kind]), since(before)
    assert since(before)["requests"] >= proxy.done.total()


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_all_faults_at_once_change_no_byte(seaweed: Seaweed, bucket: str, tmp_path: Path, share: float) -> None:
    with faulty(seaweed.endpoint, by_seed(7, share)) as proxy:
        use_everything(behind(proxy, bucket), tmp_path)
    assert len(proxy.done) > 2, proxy.done


def test_content_that_only_drips_is_fetched_over_another_connection(
    seaweed: Seaweed, bucket: str, tmp_path: Path
) -> None:
    open_store(bucket).write("large", LARGE)
    before = COUNTS.snapshot()

    def drip_twice(request: Request) -> str | None:
        return "drip" if request.number < 2 else None

    with faulty(seaweed.endpoint, drip_twice) as proxy:
        behind(proxy, bucket).download("large", tmp_path / "target", len(LARGE))
        assert (tmp_path / "target").read_bytes() == LARGE
        assert proxy.done["drip"] == 2
    assert since(before)["retries_slow"] == 2
    assert since(before)["bytes"] < len(LARGE) + (1 << 20)  # what had dripped in was kept


def test_a_broken_reply_is_resumed_where_it_broke(seaweed: Seaweed, bucket: str) -> None:
    open_store(bucket).write("large", LARGE)
    before = COUNTS.snapshot()
    with faulty(seaweed.endpoint, lambda request: "truncate" if request.number < 5 else None) as proxy:
        assert behind(proxy, bucket).read("large") == LARGE
    assert since(before)["retries_truncated"] == 5
    assert since(before)["bytes"] == len(LARGE)


def test_a_listing_with_a_wrong_letter_is_asked_for_again(seaweed: Seaweed, bucket: str) -> None:
    plain = open_store(bucket)
    for i in range(20):
        plain.write(f"some/rather/long/name/{i:03d}", b"1")
    expected = plain.entries()
    with faulty(seaweed.endpoint, by_seed(1, 0.4, ["flip"])) as proxy:
        store = behind(proxy, bucket)
        assert [store.entries() for _ in range(20)] == [expected] * 20
    assert proxy.done["flip"] > 5


@pytest.mark.parametrize("kinds", [("lost",), KINDS])
def test_of_many_creators_one_wins_and_knows_it(seaweed: Seaweed, bucket: str, kinds: tuple[str, ...]) -> None:
    with faulty(seaweed.endpoint, by_seed(3, 0.4, kinds)) as proxy, ThreadPoolExecutor(16) as threads:
        store = behind(proxy, bucket)
        for lease in ("first", "second", "third"):
            won = list(threads.map(lambda i, lease=lease: store.create(lease, b"the same for all"), range(16)))
            assert won.count(True) == 1, lease
        assert proxy.done["lost"]


@pytest.mark.parametrize("silent", [False, True])
def test_an_outage_that_does_not_end_is_told(seaweed: Seaweed, bucket: str, tmp_path: Path, silent: bool) -> None:
    open_store(bucket).write("large", LARGE)
    with faulty(seaweed.endpoint, pass_everything) as proxy:
        proxy.cut(silent=silent)
        hasty = behind(proxy, bucket, replace(QUICK, deadline=0.5, read_timeout=0.4, minimum_rate=1e9))
        cause = "timed? ?out|Connection was closed" if silent else "Connection refused"
        told = (
            rf"^s3://{place(bucket)}/large at {proxy.endpoint}: no success within \d+ s and \d+ tries; the last one:"
            rf" .*(?i:{cause}).*; check the network and the endpoint, then give the same command again: nothing is lost$"
        )
        uses: list[Callable[[], object]] = [
            lambda: hasty.read("large"),
            lambda: hasty.download("large", tmp_path / "target", len(LARGE)),
            lambda: hasty.create("large", b"1"),
            lambda: hasty.exists("large"),
        ]
        for use in uses:
            with pytest.raises(Unreachable, match=told):
                use()
        proxy.mend()
        assert hasty.read("large") == LARGE


def test_a_host_that_is_not_known_is_unreachable(bucket: str) -> None:
    hasty = replace(QUICK, deadline=0.5)
    before = COUNTS.snapshot()
    with pytest.raises(Unreachable, match=r"s3://bucket/one at http://no-such-host.invalid: no success .*resolve"):
        open_store("s3://bucket?endpoint=http://no-such-host.invalid", hasty).read("one")
    assert since(before)["given_up"] == 1


def retried(before: dict[str, float]) -> None:
    """Return once a try of this process has failed since that snapshot."""
    while not any(name.startswith("retries_") for name in since(before)):
        threading.Event().wait(0.01)


def test_a_download_goes_on_after_an_outage(seaweed: Seaweed, bucket: str, tmp_path: Path) -> None:
    open_store(bucket).write("large", LARGE)
    with faulty(seaweed.endpoint, pass_everything) as proxy, ThreadPoolExecutor(1) as thread:
        for silent in (False, True):
            proxy.cut(silent=silent)
            before = COUNTS.snapshot()
            done = thread.submit(behind(proxy, bucket).download, "large", tmp_path / "target", len(LARGE))
            retried(before)
            proxy.mend()
            done.result()
            assert (tmp_path / "target").read_bytes() == LARGE


def test_a_read_goes_on_when_a_stopped_server_does(seaweed: Seaweed, bucket: str) -> None:
    store = open_store(bucket, QUICK)
    store.write("large", LARGE)
    with ThreadPoolExecutor(1) as thread:
        seaweed.pause()
        try:
            before = COUNTS.snapshot()
            done = thread.submit(store.read, "large")
            retried(before)
        finally:
            seaweed.resume()
        assert done.result() == LARGE
        assert since(before)["retries_timeout"]


INTERRUPTED = """
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started with it ignored
from pathlib import Path
from data_shards.counters import COUNTS, since
from data_shards.store import open_store
before = COUNTS.snapshot()
def tell():
    while not any(name.startswith("retries_") for name in since(before)):
        threading.Event().wait(0.01)
    os.write(1, b"trying\\n")  # not through stdout, whose lock this thread might hold when the process ends
threading.Thread(target=tell, daemon=True).start()
store, target = open_store(sys.argv[1]), Path(sys.argv[2])
store.download("large", target, 20 << 20) if sys.argv[3] == "parts" else store.read("large")
"""


@pytest.mark.parametrize("how", ["parts", "whole"])
def test_a_wait_for_a_store_can_be_interrupted(seaweed: Seaweed, bucket: str, tmp_path: Path, how: str) -> None:
    with faulty(seaweed.endpoint, pass_everything) as proxy:
        proxy.cut()
        command = [sys.executable, "-c", INTERRUPTED, proxy.uri(place(bucket)), str(tmp_path / "target"), how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as process:
            assert process.stdout is not None and process.stdout.readline() == b"trying\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)  # its deadline is five minutes
        assert process.returncode == -signal.SIGINT
        assert errors.endswith(b"KeyboardInterrupt\n")


def test_a_retry_draws_nothing_from_the_shared_generator(seaweed: Seaweed, bucket: str) -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    with faulty(seaweed.endpoint, lambda request: "503" if request.number < 3 else None) as proxy:
        assert behind(proxy, bucket).create("one", b"1")
    assert random.random() == expected
