"""Being told to go: by the machine's end that Ray announces, and by a signal."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import chain, repeat

from ray.exceptions import RaySystemError

from cluster.preemption import Draining


def answers(*given: object) -> tuple[Callable[[], bool], threading.Event]:
    """A look that answers one after another, and what is set once it has given the last of them."""
    over = threading.Event()
    left = chain(given[:-1], repeat(given[-1]))
    count = iter(range(1, 1_000_000))

    def look() -> bool:
        if next(count) >= len(given):
            over.set()
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    return look, over


def test_it_is_asked_once_the_node_drains():
    look, over = answers(False, False, True)
    with Draining(look, every=0.01) as draining:
        assert over.wait(30)
        draining._thread.join(30)  # it has no more to look for
        assert draining.is_asked()


def test_it_is_not_asked_before():
    look, over = answers(False, False, False)
    with Draining(look, every=0.01) as draining:
        assert over.wait(30)
        assert not draining.is_asked()


def test_a_look_that_fails_is_made_again():
    look, over = answers(RaySystemError("no answer"), True)
    with Draining(look, every=0.01) as draining:
        assert over.wait(30)
        draining._thread.join(30)
        assert draining.is_asked()


def test_a_second_sigterm_ends_the_process():
    code = (
        "import os, signal\n"
        "from cluster.preemption import Draining, heed_sigterm\n"
        "heed_sigterm()\n"
        "with Draining(lambda: False) as draining:\n"
        "    print(draining.is_asked())\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print(draining.is_asked(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('still here')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.getcwd()}, stdout=subprocess.PIPE, check=False
    )
    assert done.stdout == b"False\nTrue\n"
    assert done.returncode == -signal.SIGTERM
