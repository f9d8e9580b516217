"""Time to the command line's first answer / time of `python -c "import typer, pydantic, rich"`.

    python -m benchmarks.cli [--rounds 15] [--json]

Two answers: `i2i-cluster --help`, and the refusal of a sweep file with an unknown key. Both are processes from start to
end, so the console script's own start counts. The surprise is pydantic: it loads itself when it is first used, so the
imports of the yardstick are nearly free. How a refusal compares with a process that declares one model stands beside it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measure import Finding, Watch, conditions, interleave, parser, ratio, show, wait_for_quiet

TARGET = 1.5
IMPORTS = "import typer, pydantic, rich"
ONE_MODEL = f"{IMPORTS}\nclass Model(pydantic.BaseModel):\n    field: int\n"
SWEEP = """\
name: refused
system: pix2pix
data: {uri: shards/openmoji, image: 64, batch: 16}
steps: 100
tirals: 4
objective: {metric: eval/ssim, mode: max}
"""


def side(command: Sequence[str], code: int, says: str) -> Callable[[], float]:
    """The wall seconds of a command, which must end with `code` and say `says`."""

    def run() -> float:
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
        if done.returncode != code or says not in done.stdout + done.stderr:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return seconds

    return run


def measure(rounds: int, wait: float) -> list[Finding]:
    """Both answers; the first round warms the disk's cache and is dropped."""
    script = str(Path(sys.executable).with_name("i2i-cluster"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sweep.yaml"
        file.write_text(SWEEP)
        sides = {
            "imports": side([sys.executable, "-c", IMPORTS], 0, ""),
            "one model": side([sys.executable, "-c", ONE_MODEL], 0, ""),
            "--help": side([script, "--help"], 0, "submit"),
            "refused file": side([script, "submit", str(file)], 2, "tirals"),
        }
        wait_for_quiet(wait)
        watch = Watch()
        seconds = {name: found[1:] for name, found in interleave(sides, rounds + 1).items()}
    each = ", ".join(f"{name} {1000 * statistics.median(found):.0f} ms" for name, found in seconds.items())
    note = f"{each}; cores kept busy, these processes included: {watch.others():.2f}"
    imports, refused = seconds["imports"], seconds["refused file"]
    return [
        ratio("cli --help", seconds["--help"], imports, target=TARGET, at_least=False, note=note),
        ratio("cli refused file", refused, imports, target=TARGET, at_least=False),
        ratio("cli refused file / one model", refused, seconds["one model"], target=None, at_least=False),
    ]


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=15)
    asked = options.parse_args()
    where = conditions()
    show(measure(asked.rounds, asked.wait), where, asked.json)


if __name__ == "__main__":
    main()
