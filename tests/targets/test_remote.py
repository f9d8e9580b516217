"""`submit` onto a target, and the commands around a sweep that was handed to one, on a fake target: nothing runs on it."""

import json
import threading
from dataclasses import replace

import pytest

from cluster.layout import SweepPaths
from cluster.log.driver import driving
from cluster.log.store import open_log
from cluster.submission import write_submission
from cluster.targets.target import Capacity, JobState
from orchestrator.job import about
from orchestrator.sweep_file.draft import read_draft
from orchestrator.trust import is_trusted, remember
from tests.targets.desk import PLACE, Desk


@pytest.fixture
def desk(tmp_path, shards, monkeypatch, fake, run, state):
    """A folder with a sweep file, in which commands are given."""
    return Desk(tmp_path, shards, monkeypatch, fake, run)


def test_it_is_handed_over_and_known_before_it_is_driven(desk):
    code, out, err = desk.submit("--detach")
    job, place = f"i2i-{desk.record.key}-1", f"{desk.plan.storage}/{desk.plan.id}"
    assert (code, out) == (0, f"`i2i-cluster watch {place}` follows it, `i2i-cluster stop {place}` stops it\n")
    assert f"submitted as {job} to {PLACE}: pending: no room yet" in err
    code, out, err = desk.run("status", "toy", "--storage", "runs", "-o", "json")
    told = json.loads(out)
    assert (told["state"], told["name"], told["driver"]) == ("pending", "toy", None)
    assert told["job"] == {"name": job, "place": PLACE, "state": "pending", "detail": "no room yet"}
    assert f"{job} on {PLACE} is pending: no room yet" in desk.run("status", "toy", "--storage", "runs")[1]
    (row,) = json.loads(desk.run("list", "--storage", "runs", "-o", "json")[1])
    assert (row["id"], row["name"], row["state"]) == (desk.plan.id, "toy", "pending")
    code, _, err = desk.run("results", "toy", "--storage", "runs")
    assert (code, "has not started yet" in err) == (2, True)


def test_the_same_file_again_attaches_to_the_job(desk):
    desk.submit("--detach")
    code, _, err = desk.submit("--detach")
    assert (code, f"attached to i2i-{desk.record.key}-1 on {PLACE}" in err) == (0, True)
    assert len(desk.fake.parcels) == 1


def test_two_clients_at_once_make_one_job(desk):
    """Both have looked before either of them submits."""
    both, find = threading.Barrier(2), desk.fake.find

    def look(key):
        found = find(key)
        both.wait(10)
        return found

    desk.fake.find = look
    from orchestrator.remote import submit_anywhere
    from orchestrator.tables import console

    codes = []

    def client():
        codes.append(submit_anywhere(read_draft(desk.values), "sweep.yaml", console(), detach=True))

    clients = [threading.Thread(target=client) for _ in range(2)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(30)
    assert (codes, len(desk.fake.jobs)) == ([0, 0], 1)


def test_it_is_followed_to_its_end(desk):
    desk.then(lambda: desk.fake.become(JobState.running), desk.drive)
    code, out, _ = desk.submit()
    assert code == 0
    assert out.splitlines()[:2] == [
        f"i2i-{desk.record.key}-1: pending: no room yet",
        f"i2i-{desk.record.key}-1: running",
    ]
    assert f"sweep toy ({desk.plan.id}): done" in out
    again = desk.submit()
    assert (again[0], "nothing to run" in again[2], len(desk.fake.parcels)) == (0, True, 1)


def test_a_job_that_fails_before_it_drives_is_told(desk):
    desk.then(lambda: desk.fake.become(JobState.failed, "exit code 2: error: no such data"))
    code, _, err = desk.submit()
    assert code == 1
    assert f"error: i2i-{desk.record.key}-1 on {PLACE} failed: exit code 2: error: no such data" in err
    assert "logs" in err
    assert json.loads(desk.run("status", "toy", "--storage", "runs", "-o", "json")[1])["state"] == "failed"
    code, out, _ = desk.run("watch", "toy", "--storage", "runs")
    assert (code, "has not started: i2i-" in out, "no such data" in out) == (1, True, True)
    assert desk.run("logs", "toy", "--storage", "runs", "--driver")[1] == "the first line\nand the last\n"


def test_the_output_of_a_job_whose_cluster_is_gone_is_no_mistake_of_the_request(desk):
    desk.submit("--detach")
    desk.fake.problem = f"{PLACE} cannot be reached (connection refused)"
    assert desk.run("logs", "toy", "--storage", "runs", "--driver") == (1, "", f"error: {desk.fake.problem}\n")


def test_paths_are_named_only_of_what_is_there(desk):
    """A driver that dies with its cluster stores neither model nor results."""

    def die():
        plan, paths = desk.plan, SweepPaths(desk.plan.id)
        with driving(desk.store, paths) as driver:
            log = open_log(desk.store, paths, driver)
            log.append("opened", id=plan.id, name="toy", attempt=1, about=about(plan))
            log.append("suggested", trial=0, params={})
            log.append("started", trial=0, attempt=1)
            log.append("reported", trial=0, step=5, metrics={plan.objective.metric: 0.5}, evaluated=True)
            log.close()
        desk.fake.become(JobState.failed)

    desk.then(lambda: desk.fake.become(JobState.running), die)
    code, out, _ = desk.submit()
    assert (code, "best: trial 0" in out) == (130, True)
    assert not [line for line in out.splitlines() if line.startswith(("model:", "results:"))]


def test_the_next_submit_of_one_that_is_over_is_job_two(desk):
    desk.then(lambda: desk.fake.become(JobState.failed))
    desk.submit()
    assert desk.submit("--detach")[0] == 0
    assert [parcel.sweep for parcel in desk.fake.parcels] == [desk.record.key] * 2
    assert (desk.record.number, sorted(desk.fake.jobs)) == (2, [f"i2i-{desk.record.key}-{n}" for n in (1, 2)])


def test_what_is_handed_over_is_recorded_first(desk):
    def crash(parcel):
        assert desk.record.number == 1
        raise KeyboardInterrupt

    desk.fake.happens = crash
    assert desk.submit("--detach")[0] == 130
    assert desk.record is not None


def test_ctrl_c_ends_the_watching_only(desk):
    def interrupt():
        raise KeyboardInterrupt

    desk.then(interrupt)
    code, _, err = desk.submit()
    assert (code, "the sweep goes on: `i2i-cluster watch " in err, desk.fake.stopped) == (130, True, [])


def test_a_target_that_does_not_answer_is_one_line(desk):
    desk.fake.problem = f"{PLACE} cannot be reached (connection refused)"
    assert desk.submit() == (1, "", f"error: {desk.fake.problem}\n")
    desk.write(weights={"cyk": 1})
    code, _, err = desk.submit()
    assert (code, err.startswith("error: sweep.yaml: weights.cyk: ")) == (2, True), "mistakes in the file come first"


def test_status_says_when_the_target_does_not_answer(desk):
    desk.submit("--detach")
    desk.fake.problem = f"{PLACE} cannot be reached (connection refused)"
    told = json.loads(desk.run("status", "toy", "--storage", "runs", "-o", "json")[1])
    assert told["job"] == {"name": None, "place": PLACE, "state": None, "detail": desk.fake.problem}
    assert (told["state"], desk.run("list", "--storage", "runs")[0]) == ("pending", 0)


def test_a_sweep_that_does_not_fit_the_cluster_is_refused(desk):
    desk.fake.offer = Capacity(0.25, 0.0)
    code, _, err = desk.submit("--detach")
    assert (code, f"CPUs are more than {PLACE}'s 0.25" in err) == (2, True)


def test_one_that_is_driven_is_not_submitted(desk):
    paths = SweepPaths(desk.plan.id)
    with driving(desk.store, paths):
        code, _, err = desk.submit("--detach")
    assert (code, "this sweep is already being run by process" in err, desk.fake.jobs) == (2, True, {})


def test_one_that_waits_elsewhere_is_not_submitted_twice(desk):
    desk.submit("--detach")
    waits = f"i2i-{desk.record.key}-1 on {PLACE} is pending: no room yet; stop it before"
    code, _, err = desk.submit("--cluster", "local")
    assert (code, f"{waits} the sweep runs here" in err) == (2, True)
    desk.fake.place = "http://localhost:8266"
    code, _, err = desk.submit("--detach", "--cluster", "http://localhost:8266")
    assert (code, f"{waits} the sweep is submitted to http://localhost:8266" in err) == (2, True)


def test_stop_ends_a_job_whose_driver_has_not_come(desk):
    desk.submit("--detach")
    code, out, _ = desk.run("stop", "toy", "--storage", "runs")
    assert (code, out) == (0, f"ended i2i-{desk.record.key}-1 of sweep toy on {PLACE}\n")
    assert desk.fake.stopped == [f"i2i-{desk.record.key}-1"]
    assert "nothing to stop" in desk.run("stop", "toy", "--storage", "runs")[1]


def test_stop_leaves_a_job_that_is_ending_alone(desk):
    desk.fake.happens = lambda parcel: desk.drive("interrupted")
    desk.submit("--detach")
    desk.fake.become(JobState.running)
    assert "nothing to stop" in desk.run("stop", "toy", "--storage", "runs")[1]
    assert json.loads(desk.run("status", "toy", "--storage", "runs", "-o", "json")[1])["state"] == "interrupted"
    assert desk.fake.stopped == []
    desk.run("stop", "toy", "--storage", "runs", "--now")
    assert desk.fake.stopped == [f"i2i-{desk.record.key}-1"]


def test_it_goes_on_where_it_ran_unless_told_otherwise(desk, monkeypatch):
    desk.fake.happens = lambda parcel: desk.drive("interrupted")
    desk.submit("--detach")
    assert desk.run("resume", "toy", "--storage", "runs", "--detach")[0] == 0
    assert desk.record.number == 2
    here = []

    def submit(draft, *_, **options):
        here.append(draft)
        return 0

    monkeypatch.setattr("orchestrator.remote.submit", submit)
    assert desk.run("resume", "toy", "--storage", "runs", "--cluster", "local")[0] == 0
    assert (here[0].sweep.cluster.is_local, len(desk.fake.parcels)) == (True, 2)


def test_a_trial_that_failed_is_tried_again_there(desk):
    def fail(parcel):
        plan, paths = desk.plan, SweepPaths(desk.plan.id)
        with driving(desk.store, paths) as driver:
            log = open_log(desk.store, paths, driver)
            log.append("opened", id=plan.id, name="toy", attempt=1, about=about(plan))
            log.append("suggested", trial=0, params={})
            log.append("ended", trial=0, state="failed", error="it broke")
            log.append("closed", state="failed")
            log.close()
        desk.fake.become(JobState.failed)

    desk.fake.happens = fail
    desk.submit("--detach")
    desk.fake.happens = lambda parcel: None
    assert desk.run("retry", "toy", 0, "--storage", "runs", "--detach", "--allow-inexact")[0] == 0
    assert desk.fake.parcels[-1].options[2:] == ("--allow-inexact", "--only", "0")


@pytest.mark.parametrize("cluster", ["http://elsewhere:8265", {"kubernetes": {"image": "elsewhere/x"}}, "nonsense", 3])
def test_a_target_that_only_the_storage_names_is_not_asked(desk, cluster):
    """Whoever writes a storage is neither shown a token nor given pods."""
    desk.fake.happens = lambda parcel: desk.drive("interrupted")
    desk.submit("--detach")
    paths, asked = SweepPaths(desk.plan.id), desk.fake.problem
    write_submission(desk.store, paths, replace(desk.record, cluster=cluster, place="http://elsewhere:8265"))
    desk.fake.problem = "it was asked"
    told = "submitted to http://elsewhere:8265 by somebody else, or from elsewhere"
    seen = json.loads(desk.run("status", "toy", "--storage", "runs", "-o", "json")[1])
    assert (seen["state"], seen["job"]["detail"]) == ("interrupted", f"{told}: not asked from here")
    code, _, err = desk.run("resume", "toy", "--storage", "runs", "--detach")
    assert (code, f"--cluster: it was {told}; say whether to go on there, or with local here" in err) == (2, True)
    desk.fake.problem = asked
    assert desk.run("resume", "toy", "--storage", "runs", "--detach", "--cluster", PLACE)[0] == 0
    assert desk.record.place == PLACE


def test_what_this_user_has_submitted_is_asked(desk):
    desk.submit("--detach")
    made = replace(desk.record, cluster={"kubernetes": {"image": "x", "nodes": [1, 2]}})
    assert not is_trusted(made)
    remember(made.key, made.cluster)
    assert is_trusted(made)
    assert not is_trusted(replace(made, cluster={"kubernetes": {"image": "y", "nodes": [1, 2]}}))
    assert not is_trusted(replace(made, key="another"))


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"{}", "is damaged"), (b"[1", "is damaged"), (b'{"format": 9}', "has version 9, this i2i-cluster reads up to 1")],
)
def test_a_record_that_cannot_be_read_is_told(desk, content, told):
    desk.store.write(SweepPaths(desk.plan.id).submission, content)
    code, _, err = desk.run("status", desk.plan.id, "--storage", "runs")
    assert (code, told in err, len(err.splitlines())) == (2, True, 1)
