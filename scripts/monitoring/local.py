"""`make monitoring`: a Prometheus over the sweeps that run on this machine, until Ctrl-C.

    python -m scripts.monitoring.local                # port 9090, or the next that is free
    python -m scripts.monitoring.local --scale 0.01   # rules at a hundredth of their time, to see an alert fire
    python -m scripts.monitoring.local --keep FOLDER  # what it has seen is still there the next time

Without --keep nothing is left behind.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from cluster.monitoring.discovery import NAMED, discovery_folder
from scripts.monitoring.promql import Clock
from scripts.monitoring.server import PORT, CannotServe, free_port, serving

PREFIX = "i2i-prometheus-"


def sweeps() -> list[str]:
    """A line for each sweep that is announced on this machine."""
    found = []
    for path in sorted(discovery_folder().glob("*.json")):
        try:
            (told,) = json.loads(path.read_bytes())
            found.append(f"{told['labels'][NAMED]} at http://{told['targets'][0]}/metrics")
        except (OSError, ValueError, KeyError, TypeError):
            continue  # none of ours, or gone this moment
    return found


def watch(folder: Path, port: int, clock: Clock) -> None:
    """Serve from `folder` until somebody interrupts. Raises CannotServe where it ends by itself."""
    with serving(folder, port, clock) as server:
        url = server.asked.url
        print(f"prometheus  {url}  (alerts: {url}/alerts)")
        for line in sweeps() or ["none runs now; those that start are found by themselves"]:
            print(f"sweep       {line}")
        print(f"grafana     a data source of type Prometheus with {url}; dashboards: k8s/monitoring/dashboards/*.json")
        print("Ctrl-C ends it", flush=True)
        server.process.wait()
        raise CannotServe(f"prometheus ended by itself: {server.last()}")


@contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    """The folder that was named, made where it is missing; without one, one that is removed afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix=PREFIX) as temporary:
        yield Path(temporary)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Command line."""
    options = argparse.ArgumentParser(description="Watch the sweeps of this machine with a Prometheus, until Ctrl-C.")
    options.add_argument("--port", type=int, help=f"{PORT} or the next that is free, unless it is named")
    options.add_argument("--scale", type=float, default=1.0, help="of all times in the rules")
    options.add_argument("--keep", type=Path, metavar="FOLDER", help="where to keep what it has seen")
    given = options.parse_args()
    if not given.scale > 0:
        options.error(f"--scale: must be above 0, not {given.scale:g}")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _kept(given.keep) as folder:
            watch(folder, free_port(given.port), Clock(given.scale))
    except KeyboardInterrupt:
        pass
    except (CannotServe, OSError) as error:
        sys.exit(_told(error))


def _told(error: Exception) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
