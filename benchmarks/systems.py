"""Pictures a second and peak memory of every system: 64 pixels, batches of 4, networks of width 32, one thread and two.

    python -m benchmarks.systems [--system cyclegan] [--rounds 6] [--block 3] [--json]

A step is one pass of the method as it is published, and counts its batch once, whether that is read from one domain or from
both, and however often: WGAN's critic moves five times, on a batch of its own each time; a step of DiscoGAN
is one update, every third the critics', and blocks are whole threes. All other settings are the defaults, of CRN those of
`preset: pixels`.
These are no ratios: they tell dear methods from cheap ones, and mean little beside another machine's.

One thread goes by the CPU's clock, so that others on the machine hardly matter. Two go by the wall's, and only where others
leave the cores alone: threads that wait for each other and for somebody else's time say nothing about a step.

Memory is of tensors, as `python -m benchmarks.peak` counts it: networks, moments and histories of generated pictures among them.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time

import torch

from benchmarks.cases import CLASSES, Case
from benchmarks.fresh import fresh
from benchmarks.measure import BUSY, Finding, Timed, Watch, conditions, parser, quartiles, quiet, show, wait_for_quiet
from benchmarks.peak import STEPS, most_alive
from trainers.engine import Engine
from trainers.systems.catalog import SYSTEMS

IMAGE, BATCH = 64, 4
WIDTH = 32
SETTINGS = {
    "width": WIDTH,
    "critic_width": WIDTH,
    "encoder_width": WIDTH,
    "classes": CLASSES,
    "degrees": ",".join(str(36 * i) for i in range(CLASSES)),
}  # those that a system has
TASKLESS = {"crn": "pixels"}  # presets of those whose usual form asks a trained task network
WARM_UP = 3  # steps


def case(system: str) -> Case:
    """A system at the size at which all are compared."""
    kind = SYSTEMS[system]
    known = {field.name for field in dataclasses.fields(kind.Hyper)}
    preset = kind.presets[TASKLESS[system]].hyper if system in TASKLESS else {}
    sizes = {name: value for name, value in SETTINGS.items() if name in known}
    return Case(system, {**preset, **sizes}, IMAGE, BATCH)


def timed(engine: Engine, threads: int, rounds: int, block: int) -> list[Timed]:
    """Blocks of steps on so many threads."""
    torch.set_num_threads(threads)
    for _ in range(WARM_UP):
        engine.step()
    blocks = []
    for _ in range(rounds):
        watch, cpu, wall = Watch(), time.process_time(), time.perf_counter()
        for _ in range(block):
            engine.step()
        blocks.append(Timed(time.perf_counter() - wall, watch.others(), time.process_time() - cpu))
    return blocks


def rates(name: str, seconds: list[float], block: int, note: str, unfit: str = "") -> Finding:
    """Images a second of some blocks."""
    found = [BATCH * block / one for one in seconds]
    low, high = quartiles(found)
    middle = statistics.median(found)
    return Finding(name, middle, low, high, len(found), None, True, "images/s", note, unfit)


def memory(system: str) -> float:
    """MB of tensors at most, from before the networks are built until the histories are full. For a process of its own."""

    def train() -> None:
        engine = case(system).engine()
        for _ in range(STEPS):
            engine.step()

    return most_alive(train)


def measure(system: str, rounds: int, block: int, alone: bool) -> list[Finding]:
    """The findings of one system: one thread, and two where the machine is ours alone."""
    engine = case(system).engine()
    blocks = timed(engine, 1, rounds, block)
    parameters = sum(p.numel() for player in engine.system.players for p in player.parameters) / 1e6
    note = f"{parameters:.1f} million parameters; others kept {_others(blocks):.2f} cores busy"
    found = [rates(system, [one.cpu for one in blocks], block, note)]
    if alone:
        kept, reason = quiet({system: timed(engine, 2, rounds, block)})
        note = f"others kept {_others(kept[system]):.2f} cores busy"
        found.append(rates(f"{system}, 2 threads", [one.seconds for one in kept[system]], block, note, reason))
    return found


def _others(blocks: list[Timed]) -> float:
    return statistics.median(one.others for one in blocks)


def main() -> None:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--system", choices=SYSTEMS, help="this one only")
    options.add_argument("--rounds", type=int, default=6)
    options.add_argument("--block", type=int, default=3, help="steps in a block")
    asked = options.parse_args()
    where, findings = conditions(), list[Finding]()
    if not (alone := wait_for_quiet(asked.wait) <= BUSY):
        print("one thread only: others keep the machine busy", file=sys.stderr)
    for system in [asked.system] if asked.system else SYSTEMS:
        print(f"timing {system}", file=sys.stderr)
        findings += measure(system, asked.rounds, asked.block, alone)
        size = fresh(memory, system)
        findings.append(Finding(f"{system}, memory", size, size, size, 1, None, False, "MB"))
    show(findings, where, asked.json)


if __name__ == "__main__":
    main()
