"""Where a sweep's metrics are: what its file says, what an option puts in its place, and what the job is told."""

import pytest

from cluster.job import Endpoint
from orchestrator.errors import Refusal, blamed
from orchestrator.finding import open_sweep
from orchestrator.job import make_job
from orchestrator.listening import with_port
from orchestrator.running.status import describe_status, look
from orchestrator.running.status_view import summary
from orchestrator.sweep_file.draft import read_draft
from tests.orchestrator.logs import PATHS, Log, opened, started, suggested

VALUES = {"system": "cyclegan", "data": {"uri": "x", "image": 64}, "steps": 10}


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        ({}, Endpoint()),
        ({"port": "auto", "host": "auto"}, Endpoint()),
        ({"port": 0}, Endpoint(0)),
        ({"port": 9500, "host": "0.0.0.0"}, Endpoint(9500, "0.0.0.0")),
        ({"host": "::0"}, Endpoint(None, "::")),
    ],
)
def test_what_the_file_says(written, endpoint):
    assert read_draft({**VALUES, "metrics": written}).sweep.metrics.endpoint == endpoint


def test_an_option_goes_before_the_file_s_port_and_leaves_the_rest():
    written = read_draft({**VALUES, "metrics": {"port": 9500, "host": "::1"}})
    assert with_port(written, None) is written
    changed = with_port(written, 9600)
    assert changed.sweep.metrics.endpoint == Endpoint(9600, "::1")
    assert changed.written["metrics"] == {"port": 9600, "host": "::1"}, "what goes on with it later reads the same"
    assert read_draft(changed.written).sweep == changed.sweep
    assert with_port(read_draft(VALUES), 0).written == {**VALUES, "metrics": {"port": 0}}


def test_what_is_wrong_with_an_option_is_told_of_it_and_not_of_the_file():
    draft = with_port(read_draft({**VALUES, "metrics": {"port": 9500}}), 9600)
    others = [Refusal("no", file="sweep.yaml", path="steps"), Refusal("no", file="sweep.yaml", path="metrics.porter")]
    with pytest.raises(Refusal) as caught, blamed(draft.options):
        raise Refusal("is taken", file="sweep.yaml", path="metrics.port", also=others)
    assert caught.value.lines() == [
        "--metrics-port: is taken",
        "sweep.yaml: steps: no",
        "sweep.yaml: metrics.porter: no",
    ]


@pytest.mark.parametrize("port", [-1, 65_536])
def test_what_is_no_port_is_refused(port):
    with pytest.raises(Refusal, match="--metrics-port: must be a port up to 65535, or 0 for none, not"):
        with_port(read_draft(VALUES), port)


def test_the_job_is_told_where_and_what_is_allowed(planned):
    job = make_job(planned("metrics: {port: 9500}\nbudget: {cpu_hours: 2, wall: 1h}\nresources: {workers: 2}"))
    assert job.metrics == Endpoint(9500)
    assert job.about["limits"] == {"gpu_seconds": None, "cpu_seconds": 7200.0, "cost": None, "wall_seconds": 3600.0}
    assert job.about["workers"] == 2


@pytest.mark.parametrize("every", ["{evaluate: 2, checkpoint: 1}", "{evaluate: 1, checkpoint: 2}"])
def test_an_evaluation_is_saved_like_a_checkpoint(planned, every):
    assert make_job(planned(f"every: {every}")).about["checkpoint_every"] == 1


def test_status_tells_where_while_the_sweep_is_driven(tmp_path):
    log, url = Log(str(tmp_path)), "http://127.0.0.1:9465/metrics"
    log.add(opened(metrics=url), suggested(0), started(0))
    with log.driven():
        seen = look(open_sweep(log.store, PATHS.id))
        told = describe_status(seen)
        assert (told["metrics"], summary(seen, told)["metrics"]) == (url, url)
    seen = look(open_sweep(log.store, PATHS.id))
    told = describe_status(seen)
    assert told["metrics"] is None, "nobody answers there any more"
    assert "metrics" not in summary(seen, told)
