"""The benchmarks one after another, each in a process of its own, with one table and one JSON file at the end.

    python -m benchmarks.run [NAME ...] [--out build/benchmarks.json] [--shards shards/openmoji] [--json]

Takes the better part of an hour on two cores, and leaves out `peers`, which installs other libraries. A missed target is shown,
and the exit code stays 0: time is not tested. It is 1 where a benchmark fails to run. `memory` needs the shards that
`make quickstart` builds, and is passed over without them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import Finding, conditions, parser, show

NAMES = (
    "cli",
    "step",
    "fast",
    "overhead",
    "peak",
    "recompute",
    "systems",
    "workers",
    "tree",
    "exact",
    "sweep",
    "log",
    "many",
    "metrics",
    "scraped",
    "stream",
    "coldstart",
    "wait",
    "checkpoint",
    "memory",
)


def run(name: str, arguments: Sequence[str]) -> list[dict[str, Any]] | None:
    """A benchmark's findings as it prints them; None where it failed, which it has said on stderr."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return None
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=f"of: {', '.join(NAMES)}")
    options.add_argument("--out", type=Path, default=Path("build/benchmarks.json"))
    options.add_argument("--shards", type=Path, default=Path("shards/openmoji"), help="for memory")
    asked = options.parse_args()
    where, failed, found = conditions(), [], list[dict[str, Any]]()
    # These wait for no idle machine.
    of_its_own: dict[str, list[str]] = {name: [] for name in ("peak", "log", "many", "metrics")}
    of_its_own["memory"] = ["--shards", str(asked.shards)]
    for name in asked.names or NAMES:
        if name == "memory" and not asked.shards.exists():
            print(f"memory: passed over, {asked.shards} does not exist: make quickstart builds it", file=sys.stderr)
            continue
        print(f"running {name}", file=sys.stderr)
        findings = run(name, of_its_own.get(name, ["--wait", str(asked.wait)]))
        if findings is None:
            failed.append(name)
        else:
            found += findings
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps({"conditions": where, "findings": found, "failed": failed}, indent=2) + "\n")
    show([Finding.from_json(values) for values in found], where, asked.json)
    print(f"written to {asked.out}", file=sys.stderr)
    if failed:
        sys.exit(f"failed to run: {', '.join(failed)}")


if __name__ == "__main__":
    main()
