"""Writes the rules, the dashboards and the heads of the runbooks.

    python -m scripts.monitoring.write                                        # into this repository
    python -m scripts.monitoring.write --out FOLDER --scale 0.01              # rules at a hundredth of their time, to try them
    python -m scripts.monitoring.write --out FOLDER --runbooks https://HOST/  # with links that lead somewhere

A test holds the repository's files against it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from scripts.monitoring import dashboards, rules, runbooks
from scripts.monitoring.promql import Clock

ROOT = Path(__file__).parents[2]


def files(root: Path = ROOT) -> dict[str, str]:
    """Path below the repository's root -> text, of every file that is written here."""
    manifests = rules.files() | dashboards.files()
    return {f"k8s/{path}": text for path, text in manifests.items()} | runbooks.runbooks(root, rules.alerts())


def main() -> None:
    """Write them all."""
    options = argparse.ArgumentParser(description="Write rules, dashboards and the heads of runbooks.")
    options.add_argument("--out", type=Path, help="write rules and dashboards there, and nothing into the repository")
    options.add_argument("--scale", type=float, default=1.0, help="of all times in the rules")
    options.add_argument("--runbooks", default="", help="what goes before docs/runbooks/... in alerts")
    given = options.parse_args()
    if given.out is None and (given.scale != 1.0 or given.runbooks):
        options.error("--scale and --runbooks need --out: the repository's rules are as they are")
    made = rules.files(Clock(given.scale), given.runbooks) | dashboards.files() if given.out else files()
    for path, text in made.items():
        file = (given.out or ROOT) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
