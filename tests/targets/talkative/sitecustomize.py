"""Makes every worker process of Ray print a line now and then, as a library of a user's would. A test puts it on PYTHONPATH."""

import sys
import threading
import time


def talk() -> None:
    """A line to each of the two, for ever."""
    count = 0
    while True:
        time.sleep(0.2)
        count += 1
        print(f"a worker says {count}", flush=True)
        print(f"a worker warns {count}", file=sys.stderr, flush=True)


if any(word.endswith("default_worker.py") for word in sys.orig_argv):
    threading.Thread(target=talk, daemon=True).start()
