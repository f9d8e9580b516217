"""Every sickness of a real sweep raises its alert in a real Prometheus, a healthy sweep raises none, and every panel shows some.

All sweeps are of `sickness.py`, run once for this file; what they left in the Prometheus is asked afterwards.
"""

import json
import shutil
import subprocess

import pytest

from scripts.monitoring.asking import filled
from scripts.monitoring.picture import FOLDER
from scripts.monitoring.thresholds import SILENT
from tests.beds import until
from tests.integration.sickness import CLOCK, ENDED, LIVING, LONGEST_S, sick_and_well

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is missing: Debian package prometheus"),
]
STEP_S = 0.5  # between two points that are asked for
# Panels, and lines of some, that have nothing to show where a sweep is well; the sick ones show them, unless it says why not.
WELL_WITHOUT = {
    "Updates left out: {{trial}} {{player}}": "all of its numbers are finite",
}
NEVER = {
    "Silent trials: silent": "it counts by ten minutes of the clock, which nobody waits for here",
    "Rollbacks: trial {{trial}}": "on_nonfinite: rollback is in none of them",
    "Stopped early: {{by}}": "none has a scheduler or rules that stop a trial",
    "Time left at this rate: gpu": "there is no GPU",
    "Time left at this rate: cost": "it is that of GPUs",
}


@pytest.fixture(scope="module")
def world(bed, seaweed, shards, tmp_path_factory):
    with sick_and_well(bed, seaweed, shards, tmp_path_factory.mktemp("sick")) as seen:
        yield seen


@pytest.mark.parametrize("alert", [*LIVING, *ENDED])
def test_a_sickness_raises_its_alert(world, alert):
    assert world.fired(alert, (LIVING | ENDED)[alert]), seen(world)


def seen(world):
    """All alerts that were ever pending or firing."""
    found = world.server.asked.over("ALERTS", world.began, world.ended, STEP_S)
    names = {sweep: name for name, sweep in world.ids.items()}
    return sorted(
        {(names.get(line.labels["sweep"], ""), line.labels["alertname"], line.labels["alertstate"]) for line in found}
    )


def test_a_sweep_that_is_well_raises_none(world):
    since, until_then = world.well
    assert until_then - since > LONGEST_S, "no alert waits for longer"
    firing = f'ALERTS{{alertstate="firing", sweep="{world.ids["well"]}"}}'
    found = world.server.asked.over(firing, since, until_then, STEP_S)
    fired = {line.labels["alertname"]: [round(moment - since) for moment, _ in line.points] for line in found}
    assert fired == {}, "seconds of the time in which it is judged"


def test_what_is_stalled_is_the_one_that_was_stopped(world):
    (line,) = world.firing("I2ITrainingStalled", "dying")
    assert line.labels["trial"] == "0"
    (age,) = world.of("dying", "trial:i2i_train_last_heard_timestamp_seconds:silence{SWEEP}")
    assert age.points[0][1] > CLOCK.scale * SILENT


def test_the_series_of_a_sweep_that_has_ended_are_gone(world):
    assert world.of("well", "max_over_time(i2i_sweep_info{SWEEP}[1h])")
    until("they are gone", lambda: not world.of("well", '{SWEEP, job="i2i"}'), 60)


def lines(world, name):
    """Panel: line -> whether it had any value in a sweep's time, of every dashboard."""
    found: dict[str, bool] = {}
    for file in FOLDER.glob("*.json"):
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                expr = filled(target["expr"], world.ids[name], "5s")
                answer = world.server.asked.over(expr, world.began, world.ended, STEP_S)
                title = f"{panel['title']}: {target.get('legendFormat', '')}".strip(": ")
                found[title] = found.get(title, False) or any(line.finite for line in answer)
    return found


def test_every_panel_shows_something_of_a_real_sweep(world):
    healthy = lines(world, "well")
    assert {title for title, shown in healthy.items() if not shown} == WELL_WITHOUT.keys() | NEVER.keys()
    sick = [lines(world, name) for name in world.ids]
    assert {title for title in healthy if not any(one[title] for one in sick)} == NEVER.keys()


def test_promtool_finds_nothing_wrong_with_what_real_sweeps_export(world):
    for name, page in world.pages.items():
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), name
    assert world.pages.keys() == world.ids.keys()
