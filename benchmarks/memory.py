"""Peak memory of a command and all its processes, Ray's daemons among them; by default the quickstart's `submit`, cut short.

    python -m benchmarks.memory [--shards shards/openmoji] [--steps 60] [--json] [-- COMMAND ...]

A page that several processes share is counted once, in parts (PSS): a plain sum of resident sizes would count torch's
libraries for every worker. Cut short means fewer steps and two trials, which run at the same time. A worker's cache of
decoded pictures grows for as long as it meets new ones, so short runs stay below long ones by up to the size of the data.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import yaml

from benchmarks.measure import Finding, conditions, parser, show

TARGET_GB = 4.0
INTERVAL = 0.2  # seconds between samples
EXAMPLE = Path(__file__).resolve().parent.parent / "examples/quickstart.yaml"
SHOWN = 6  # largest kinds of processes at the peak


class Peak:
    """The largest sum of PSS seen over a process and everything it ever started."""

    def __init__(self, root: psutil.Process) -> None:
        self._known = {root.pid: root}
        self.bytes, self.samples = 0, 0
        self.by_name: dict[str, int] = {}

    def sample(self) -> None:
        """Look once. Orphans stay known: a daemon whose parent is gone still belongs to the command."""
        for process in list(self._known.values()):
            try:
                for child in process.children(recursive=True):
                    self._known.setdefault(child.pid, child)
            except psutil.NoSuchProcess:
                del self._known[process.pid]
        found: dict[str, int] = {}
        for process in self._known.values():
            size = _pss(process.pid)
            if size:
                name = _name(process)
                found[name] = found.get(name, 0) + size
        self.samples += 1
        if sum(found.values()) > self.bytes:
            self.bytes, self.by_name = sum(found.values()), found


def _pss(pid: int) -> int:
    """Bytes; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _name(process: psutil.Process) -> str:
    """What a process is, in a word: Ray's workers carry a title, the others a script's or program's name."""
    try:
        command = process.cmdline()
    except psutil.NoSuchProcess:
        return "ended"
    if not command:
        return "ended"
    if command[0].startswith("ray::"):
        return command[0].split()[0]
    script = next((part for part in command[1:] if part.endswith(".py")), command[0])
    return Path(script).name


def peak_of(command: Sequence[str], cwd: Path) -> Peak:
    """Run the command to its end. Raises RuntimeError where it fails."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=cwd, stdout=output, stderr=subprocess.STDOUT)
        peak = Peak(psutil.Process(process.pid))
        while process.poll() is None:
            peak.sample()
            time.sleep(INTERVAL)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(
                f"{' '.join(command)} ended with {process.returncode}:\n{output.read().decode()[-2000:]}"
            )
    return peak


def quickstart(folder: Path, shards: Path, steps: int) -> list[str]:
    """The command that submits the quickstart with `steps` steps and two trials; its file goes to `folder`."""
    sweep = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    part = max(1, steps // 3)
    sweep |= {"steps": steps, "trials": 2, "storage": str(folder / "runs")}
    sweep["every"] = {"report": min(10, part), "evaluate": part, "checkpoint": part}
    sweep["data"]["uri"] = str(shards.resolve())
    (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep))
    return [str(Path(sys.executable).with_name("i2i-cluster")), "submit", str(folder / "sweep.yaml")]


def main() -> None:
    """Command line."""
    options = parser(__doc__, waits=False)
    options.add_argument("--shards", type=Path, default=Path("shards/openmoji"), help="folder of the data set")
    options.add_argument("--steps", type=int, default=60)
    options.add_argument("command", nargs="*", help="measure this command instead")
    asked = options.parse_args()
    where = conditions()
    with tempfile.TemporaryDirectory(prefix="i2i-bench-") as name:
        command = asked.command or quickstart(Path(name), asked.shards, asked.steps)
        peak = peak_of(command, Path.cwd())
    largest = sorted(peak.by_name.items(), key=lambda item: -item[1])[:SHOWN]
    parts = ", ".join(f"{kind} {size / 1e9:.2f}" for kind, size in largest)
    what = Path(command[0]).name if asked.command else f"the quickstart with {asked.steps} steps"
    note = f"{what}, {peak.samples} samples; at the peak, in GB: {parts}"
    size = peak.bytes / 1e9
    finding = Finding("memory", size, size, size, 1, TARGET_GB, at_least=False, unit="GB", note=note)
    show([finding], where, asked.json)


if __name__ == "__main__":
    main()
