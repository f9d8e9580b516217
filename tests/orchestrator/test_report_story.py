"""When what ran, and what was reported, as a log tells it through crashes, new drivers and schedulers."""

import pytest

from cluster.log.records import UnreadableLog
from orchestrator.report.story import LOST, Mark, Span, tell_story
from tests.orchestrator.reported import START, World


def story(world):
    world.write()
    return tell_story(world.store.read("0123456789ab/log.jsonl"))


def spans(told):
    return [(span.start - START, span.end - START, span.ended) for span in told.spans]


def marks(told, *kinds):
    return [(mark.kind, mark.text) for mark in told.marks if mark.kind in kinds]


def test_a_trial_that_starts_again_has_a_span_for_each_start(tmp_path):
    world = World(tmp_path).trial([0.5], "running")  # opened at 1, started at 3, evaluated at 5, decided at 6
    world.add("failed", trial=0, error="worker 0 died", count=1).add("started", trial=0, attempt=2, after=10)
    world.add("preempted", trial=0, step=150, after=5).add("started", trial=0, attempt=3, after=5)
    world.add("ended", trial=0, state="done", error=None, after=20)
    told = story(world).trials[0]
    assert spans(told) == [(3, 7, "broken off"), (17, 22, "broken off"), (27, 47, "done")]
    assert marks(told, "start", "restart", "failure", "leaves", "end") == [
        ("start", "starts"),
        ("failure", "failure 1: worker 0 died"),
        ("restart", "starts again, at step 100 when last heard of (start 2)"),
        ("leaves", "step 150: leaves its machine or its workers"),
        ("restart", "starts again, at step 100 when last heard of (start 3)"),
        ("end", "done at step 100"),
    ]


def test_what_a_lost_driver_left_ends_where_it_was_last_heard_of(tmp_path):
    world = World(tmp_path).trial([0.5], "running")
    world.add("opened", id="0123456789ab", name="toy", attempt=2, about=world.about, after=1000)
    world.add("started", trial=0, attempt=1, after=5)
    found = story(world)
    assert spans(found.trials[0]) == [(3, 6, LOST), (1011, 1011, "running")]
    assert [at - START for at in found.opened] == [1, 1006]


def test_a_step_that_is_trained_again_counts_once_by_its_last_report(tmp_path):
    world = World(tmp_path).trial([0.5, 0.4], "running")
    world.report(0, 100, 0.25)
    told = story(world).trials[0]
    assert sorted(told.reports) == [50, 100, 150, 200]
    assert (told.reports[100]["eval/l1"], told.evaluated) == (0.25, {100, 200})


def test_a_critic_s_margin_is_what_it_says_of_real_pictures_less_what_it_says_of_generated_ones(tmp_path):
    world = World(tmp_path).trial([0.5], "running")
    critics = {"balance/real_d_a": 1.5, "balance/fake_d_a": -0.25, "balance/real_d_b": 0.5}
    world.add("reported", trial=0, step=150, metrics=critics, evaluated=False)
    told = story(world).trials[0].reports[150]
    assert told == {**critics, "balance/margin_d_a": 1.75}


def test_what_schedulers_decide_is_told_with_its_reason(tmp_path):
    world = World(tmp_path).trial([0.5], "running").trial([0.4], "running")
    stop = {"trial": 0, "action": "stop", "why": "worse than half"}
    clone = {"trial": 1, "action": "clone", "donor": 0, "params": {"weights.l1": 5.0}}
    world.add("settled", step=100, by="pbt", decisions=[stop, clone])
    found = story(world)
    assert marks(found.trials[0], "rung") == [
        ("rung", "step 100: goes on, at 0.5"),
        ("rung", "step 100: is stopped: worse than half"),
    ]
    assert found.trials[1].marks[-1] == Mark(START + world.at, "rung", "step 100: goes on from another, trial 0")
    assert [told.spans[-1].ended for told in found.trials.values()] == ["stopped", "broken off"]
    assert found.trials[0].spans == [Span(START + 3, START + world.at, "stopped")]


def test_a_damaged_log_is_told(tmp_path):
    world = World(tmp_path).trial([0.5])
    world.records.append({"v": 2, "at": START, "kind": "started", "trial": 9, "attempt": 1})
    with pytest.raises(UnreadableLog, match="the log is damaged"):
        story(world)
