"""A sweep with four bad trials among good ones: it ends with what the good ones came to, and names each bad one with its cause.

Real are the crash (a file lies where a folder has to be), the step that never ends (a hundred moves of a large critic take minutes,
which nobody can tell from a hang), the numbers that are not finite, and the gigabyte of memory. Played is the kernel: this test
ends the process that takes so much by SIGKILL, as the kernel's out-of-memory killer does.
"""

import json
import re
import threading
from contextlib import contextmanager, suppress

import psutil
import pytest

from tests.beds import TRIAL, kill

pytestmark = pytest.mark.ray
TEMPLATE = """
name: small
system: pix2pix
data: {{uri: "{shards}", image: 32, batch: 4, augment: {{jitter: 1.0}}}}
steps: {steps}
hyper: {{width: 4, critic: patch16}}
search:
  hyper.critic_width: {{choice: [16, 512, 1536]}}
  balance.critic_turns: {{choice: [100], when: {{hyper.critic_width: [512]}}}}
  weights.l1: {{choice: [100, 1.0e+38], when: {{hyper.critic_width: [16]}}}}
  hyper.lr: {{choice: [1.0e-4, 3.0e-4], when: {{weights.l1: [100]}}}}
searcher: grid
objective: {{metric: eval/ssim, mode: max}}
every: {{report: 5, evaluate: {evaluate}, checkpoint: {evaluate}}}
budget: {{failures: 0, stall: 20s}}
"""
GOOD = (0, 2)
CRASHES, DIVERGES, HANGS, EATS = 1, 3, 4, 5
TOO_MUCH = 1_100_000_000  # bytes: a good trial takes half of it


def test_it_ends_with_the_others_and_names_each_with_its_cause(bed, joined):
    sweep = joined("small", template=TEMPLATE)
    place = sweep.put_in_the_way(trials=[CRASHES])[CRASHES]
    with out_of_memory_killer(bed) as killed:
        assert sweep.run() == 0, sweep.tail()
    assert len(killed) == 1, sweep.tail()
    found = json.loads(sweep.told("results", "small", "-o", "json"))
    assert found["state"] == "done"
    trials = {trial["index"]: trial for trial in found["trials"]}
    assert {index for index, trial in trials.items() if trial["state"] == "done"} == set(GOOD)
    assert {one["setting"] for one in found["settings"] if one["may_be_named"]} == set(GOOD)
    assert found["best"]["index"] in GOOD

    seen = json.loads(sweep.told("status", "small", "-o", "json"))
    told = {failure["trial"]: failure["error"] for failure in seen["failures"]}
    assert told == {index: trial["error"] for index, trial in trials.items() if trial["error"]}
    assert told.keys() == {CRASHES, DIVERGES, HANGS, EATS}
    spent = "(failed 1 times: 1 x {}; budget.failures is 0)"
    died = f"its process (pid {killed[0]}) died: a signal ended it, such as the kernel's where memory is short, or it crashed"
    assert told[CRASHES] == f"FileExistsError: [Errno 17] File exists: '{place}' {spent.format('a worker died')}"
    assert told[DIVERGES] == "step 0: not finite: gradient of generator"
    assert re.match(r"step 1 stalled for 2\d s on rank 0 \(.*, pid \d+\) while training, in ", told[HANGS])
    assert told[HANGS].endswith(spent.format("a step stalled"))
    assert told[EATS] == f"{died} {spent.format('a worker died')}"


@contextmanager
def out_of_memory_killer(bed):
    """Ends the trials' processes that take TOO_MUCH; gives their numbers."""
    killed, ended = [], threading.Event()

    def watch():
        while not ended.wait(0.1):
            for pid in bed.pids(TRIAL):
                with suppress(psutil.NoSuchProcess, ProcessLookupError):
                    if pid not in killed and psutil.Process(pid).memory_info().rss > TOO_MUCH:
                        kill(pid)
                        killed.append(pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield killed
    finally:
        ended.set()
        watcher.join()
