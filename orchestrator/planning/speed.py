"""`i2i-cluster speed`: how fast this machine takes a sweep's step in each arithmetic that it has, and what to write for the
fastest."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import track

from cluster.speed import Course, Way, device_of, take_turn, ways
from orchestrator.errors import Refusal
from orchestrator.planning.plan import make_plan
from orchestrator.saying import say
from orchestrator.sweep_file.draft import Draft
from orchestrator.tables import console, print_json, print_parts, table

WORTH = 1.03  # times as fast: less is chance
COARSE = {"bf16": "8 bits, of 24 in fp32", "tf32": "11 bits, of 24 in fp32"}


def show_speed(draft: Draft, file: str, *, rounds: int, steps: int, compiling: bool, as_json: bool) -> None:
    """Time every way, print what came out. Raises Refusal, also where not one step can be taken."""
    plan = make_plan(draft, file)
    run, shapes = plan.run(0, plan.params(0)), plan.data.shapes(draft.sweep.data.image)
    device = device_of(plan.sizes.gpus_per_worker)

    courses = [Course(way) for way in ways(run, device, compiling)]
    say(f"timing {len(courses)} ways, {rounds} x {steps} steps each", aside=True)
    turns = [course for _ in range(rounds) for course in courses]
    for course in track(turns, "timing", console=Console(stderr=True), disable=not sys.stderr.isatty()):
        if not course.problem:
            take_turn(course, run, shapes, device, steps)
    if courses[0].problem:
        raise Refusal(f"no step could be taken here: {courses[0].problem}", file=file)
    if as_json:
        print_json(
            {"batch": run.data.batch, "device": device.type, "ways": [_told(one, courses[0]) for one in courses]}
        )
        return
    usual = courses[0]
    rows = [
        _row(one, usual, run.data.batch) for one in sorted(courses, key=lambda one: one.step if one.seconds else 1e9)
    ]
    print_parts(console(), table(f"a step of {run.system}, batch {run.data.batch}, on this {device.type}", rows))
    for line in advice([one for one in courses if not one.problem], usual):
        say(line)


def _row(one: Course, usual: Course, batch: int) -> dict[str, str]:
    way = one.way
    shown = _keys(way)
    if one.problem:
        return {**shown, "step": "-", "images/s": "-", "times as fast": one.problem}
    middle, least, most = one.speedup(usual)
    shown["step"], shown["images/s"] = f"{one.step:.3g} s", f"{batch / one.step:.3g}"
    spread = f" ({least:.2f} - {most:.2f})" if len(one.seconds) > 1 else ""
    shown["times as fast"] = "as the file has it" if one is usual else f"{middle:.2f}{spread}"
    if way.compile:
        shown["compiling"] = f"{one.compiling:.0f} s"
    if one.memory is not None:
        shown["memory"] = f"{one.memory / 1e9:.2f} GB"
    return shown


def advice(courses: list[Course], usual: Course) -> list[str]:
    """What to write into the file: the fastest way, and the fastest of the same precision."""
    fastest = min(courses, key=lambda one: one.step)
    alike = min((one for one in courses if one.way.precision == usual.way.precision), key=lambda one: one.step)
    lines = []
    for one, what in {alike.way: (alike, "fastest in the same precision"), fastest.way: (fastest, "fastest")}.values():
        middle, least, _ = one.speedup(usual)
        if one is usual or min(middle, least) < WORTH:
            lines.append(f"{what}: as the file has it")
            continue
        coarse = COARSE.get(one.way.precision, "") if one.way.precision != usual.way.precision else ""
        look = f"; networks then multiply with {coarse}: compare a score before a long training" if coarse else ""
        lines.append(f"{what}, {middle:.2f} times: {_written(one.way, usual.way)}{look}")
    return lines


def _written(way: Way, usual: Way) -> str:
    """The keys that differ, as a sweep file has them."""
    keys, before = _keys(way), _keys(usual)
    return ", ".join(f"`{key}: {value}`" for key, value in keys.items() if value != before[key])


def _keys(way: Way) -> dict[str, str]:
    """A way as a sweep file has it."""
    return {key: str(value).lower() for key, value in asdict(way).items()}


def _told(one: Course, usual: Course) -> dict[str, Any]:
    way = one.way
    told: dict[str, Any] = asdict(way)
    if one.problem:
        return told | {"problem": one.problem}
    middle, least, most = one.speedup(usual)
    times = {"median": middle, "least": least, "most": most}
    return told | {
        "step_seconds": one.step,
        "times_as_fast": times,
        "compile_seconds": one.compiling,
        "memory_bytes": one.memory,
    }
