"""What the tests of this folder killed, and how long it took: a table for docs/reliability.md, written by `make slow`.

A test hands its moments to `record_property("moments", [...])`, each with its kind and the seconds until training went on.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"
VARIABLE = "I2I_RELIABILITY"  # the file to write the table into, relative to the repository
EMPTY = f"# Reliability\n\n{BEGIN}\n{END}\n"


def table(results: Sequence[tuple[bool, Sequence[Mapping[str, Any]]]], when: str, commit: str) -> str:
    """A Markdown table, a row for each kind. A result: whether a test passed, and its moments with `kind` and `seconds`."""
    lines = [
        f"{when}, commit {commit}, {os.cpu_count()} CPUs; {sum(passed for passed, _ in results)} of {len(results)} runs "
        "passed. Recovery: seconds from the kill to the next training report, process starts and imports included.",
        "",
        "| killed | moments | passed | recovery, median | longest |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    kinds = dict.fromkeys(moment["kind"] for _, moments in results for moment in moments)
    for kind in kinds:
        hit = [(passed, m["seconds"]) for passed, moments in results for m in moments if m["kind"] == kind]
        seconds = [one for _, one in hit]
        good = sum(passed for passed, _ in hit)
        lines.append(f"| {kind} | {len(hit)} | {good} | {statistics.median(seconds):.1f} s | {max(seconds):.1f} s |")
    return "\n".join(lines)


def replaced(text: str, new: str) -> str:
    """`text` with what is between the two marks replaced. Raises ValueError where the marks are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the marks {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n\n{new}\n\n{END}{after}"


def record(results: Sequence[tuple[bool, Sequence[Mapping[str, Any]]]], file: Path) -> None:
    """Write the table into `file`, which is made where it is missing."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    text = file.read_text(encoding="utf-8") if file.exists() else EMPTY
    made = table(results, time.strftime("%Y-%m-%d"), asked.stdout.strip() or "unknown")
    file.write_text(replaced(text, made), encoding="utf-8")
