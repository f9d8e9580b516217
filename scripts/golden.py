"""Whether a change keeps every bit: the digests of tiny trainings, at a commit and as the files are now, on this machine.

Run by `make golden`. Both sides are run by one script, this one, each over its own `trainers/` and `tests/trainers/worlds.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = 5


def print_digests() -> None:
    """One JSON object on standard output: row of `worlds.VARIANTS` -> the digest of its whole state after the first steps."""
    import torch

    import trainers
    from tests.trainers import worlds

    for module in (trainers, worlds):
        assert Path(str(module.__file__)).is_relative_to(Path.cwd()), f"{module.__file__} is the other side's"
    torch.set_num_threads(1)
    found = {}
    for name in worlds.VARIANTS:
        engine = worlds.variant(name)
        for _ in range(STEPS):
            engine.step()
        found[name] = worlds.state_digest(engine)
    print(json.dumps(found))


def digests(root: Path) -> dict[str, str]:
    """The digests of the code below `root`."""
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(Path(__file__).resolve()), "--print"]
    done = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"golden: the trainings of {root} failed (above)")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def unpack(commit: str, folder: Path) -> None:
    """The files of `commit` into `folder`."""
    done = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True)
    if done.returncode:
        sys.exit(f"golden: {commit}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def compared(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(variant, what became of it), in the order of now."""
    for name, digest in now.items():
        yield name, "new" if name not in before else "same" if before[name] == digest else "CHANGED"
    for name in before:
        if name not in now:
            yield name, "gone"


def main() -> None:
    """Print what became of each variant; exit 1 where the bits of one changed."""
    parser = argparse.ArgumentParser(prog="make golden ARGS=...", description=__doc__)
    parser.add_argument("--base", default="HEAD", metavar="COMMIT", help="what to compare with; default: HEAD")
    parser.add_argument("--print", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.print:
        print_digests()
        return
    with tempfile.TemporaryDirectory(prefix="i2i-golden-") as folder:
        unpack(chosen.base, Path(folder))
        before, now = digests(Path(folder)), digests(ROOT)
    told = list(compared(before, now))
    for name, what in told:
        print(f"{what:8} {name}")
    changed = [name for name, what in told if what == "CHANGED"]
    print(f"{len(changed)} of {len(set(before) & set(now))} changed since {chosen.base}; {STEPS} steps each")
    sys.exit(1 if changed else 0)


if __name__ == "__main__":
    main()
