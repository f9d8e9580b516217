"""Pictures a second of the Stream / of other libraries' loaders, over the same pictures on the same local disk.

    python -m benchmarks.peers [--rounds 9] [--take 2048] [--keep FOLDER] [--json]

Each library gets an environment of its own and the pictures in its own format, both below a temporary folder (about 8 GB:
one of them brings a CUDA build of torch). All of them shuffle, decode with simplejpeg, and make uint8 batches of 16; the
Stream has two threads, the others are taken at the best of 0, 1 and 2 workers. A library that cannot be installed is
named with the reason. `--keep` leaves the environments in a folder and uses those that are there. No part of `make bench`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from benchmarks.loaders import WORKERS, Comparison, Peer, bare, streamed
from benchmarks.measure import Finding, conditions, parser, show
from benchmarks.peer import DISTRIBUTIONS
from benchmarks.pictures import SIDE, Photographs

# The library -> what to install. Only LitData gets along with any build of torch: the other one imports torchvision.
REQUIRED = {
    "streaming": ("mosaicml-streaming==0.13.0",),
    "litdata": ("litdata==0.2.76", f"torch=={metadata.version('torch').partition('+')[0]}"),
}
DECODER = f"simplejpeg=={metadata.version('simplejpeg')}"
OURS = "webdataset"  # is installed with the project


class CannotInstall(RuntimeError):
    """With pip's reason."""


def environment(folder: Path, requirements: Sequence[str]) -> str:
    """The Python of an environment with these requirements, made unless it is there. Raises CannotInstall."""
    python = folder / "bin/python"
    done = folder / "installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        command = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            DECODER,
            *requirements,
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            errors = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
            raise CannotInstall((errors or [f"pip ended with {ended.returncode}"])[-1])
        done.touch()
    return str(python)


def prepared(environments: Path, data: Path) -> tuple[dict[str, str], list[str]]:
    """Library -> the Python that has it, after `data` was converted for it; and why others are missing."""
    pythons, missing = {OURS: sys.executable}, []
    for name, requirements in REQUIRED.items():
        print(f"installing {', '.join(requirements)}", file=sys.stderr)
        try:
            pythons[name] = environment(environments / name, requirements)
        except CannotInstall as error:
            missing.append(f"{requirements[0]} cannot be installed: {error}")
            continue
        Peer.convert(name, data, pythons[name])
    return pythons, missing


def measure(environments: Path, rounds: int, take: int, wait: float) -> list[Finding]:
    """All sides in turns."""
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name:
        data = Photographs.make(Path(name), 4000)
        pythons, missing = prepared(environments, data.folder)
        peers = {
            (library, workers): Peer(library, data.folder, workers, python)
            for library, python in pythons.items()
            for workers in WORKERS
        }
        versions = {library: peer.version for (library, _), peer in peers.items()}
        names = {key: f"{DISTRIBUTIONS[key[0]]} {versions[key[0]]}, {key[1]} workers" for key in peers}
        takes = {"bare": bare(data.files), "stream": streamed(data.shards, SIDE, None)}
        takes |= {names[key]: peer.take for key, peer in peers.items()}
        made = Comparison(takes, take, rounds, wait)
        for peer in peers.values():
            peer.close()
    findings = [made.ratio("stream / bare decode", "bare", "stream", note="; ".join([str(made), *missing]))]
    for library in versions:
        best = made.fastest(names[library, workers] for workers in WORKERS)
        findings.append(made.ratio(f"stream / {best}", best, "stream"))
    return findings


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--take", type=int, default=2048, help="pictures a side and round; a multiple of 32")
    options.add_argument("--keep", type=Path, help="folder for the environments, to be used again")
    asked = options.parse_args()
    where = conditions()
    with tempfile.TemporaryDirectory(prefix="i2i-peers-") as folder:
        found = measure((asked.keep or Path(folder)).absolute(), asked.rounds, asked.take, asked.wait)
    show(found, where, asked.json)


if __name__ == "__main__":
    main()
