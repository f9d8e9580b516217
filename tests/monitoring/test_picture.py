"""Dashboards drawn from live queries of a Prometheus that has seen a recorded sweep, and what is said where nothing can be."""

import io
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from cluster.job import Endpoint
from cluster.monitoring.exporter import exporting
from scripts.monitoring import dashboards
from scripts.monitoring.drawing import NOTE, named, shown
from scripts.monitoring.picture import main
from scripts.monitoring.promql import Clock
from scripts.monitoring.server import free_port, serving
from tests.beds import until
from tests.cluster import recorded as log
from tests.cluster.conducting import make_job

ROOT = Path(__file__).parents[2]
UIDS = [one.uid for one in dashboards.ALL]
ANSWER_S = 60.0
LARGEST = 200_000  # bytes of a picture that is kept


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A Prometheus that has seen the recorded sweep for some seconds, twice scraped and its rules evaluated."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is missing: Debian package prometheus")
    folder = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with exporting(make_job(metrics=Endpoint())) as metrics, serving(folder, free_port(0), Clock(0.01)) as server:
            metrics.follow(log.lines(*log.STORY))
            seen = "count_over_time(i2i_sweep_info[1m]) > 3 and on (sweep) sweep:i2i_sweep_trials:failed_ratio"
            until("it was seen", lambda: server.asked.now(seen), ANSWER_S, server.last)
            yield server.asked.url


@pytest.fixture
def drawn(monkeypatch, capsys):
    """Exit code, output and errors of the command."""

    def run(url, out, *options):
        monkeypatch.setattr(sys, "argv", ["picture", "--url", url, "--out", str(out), *options])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("uid", UIDS)
def test_a_dashboard_is_drawn(drawn, url, tmp_path, uid):
    code, out, err = drawn(url, tmp_path / "x.png", "--dashboard", uid, "--last", "20", "--sweep", "toy")
    assert (code, err) == (0, "")
    titles = {panel.title for one in dashboards.ALL if one.uid == uid for row in one.rows for panel in row.panels}
    empty = {line.removeprefix("empty: ") for line in out.splitlines()}
    assert empty < titles
    picture = Image.open(io.BytesIO((tmp_path / "x.png").read_bytes()))
    assert picture.width > 1000 and len(picture.getcolors() or ()) > 5
    assert (tmp_path / "x.png").stat().st_size < LARGEST


def test_what_there_is_not_is_said_in_a_line(drawn, url, tmp_path):
    ask = ("--dashboard", UIDS[0], "--last", "20")
    there = "in that time there were: toy (a1)"
    told = f"error: --sweep: there was no tyo; {there}\n"
    assert drawn(url, tmp_path / "x.png", *ask, "--sweep", "tyo") == (2, "", told)
    wanted = f"error: --dashboard: there is no i2i; there are {', '.join(sorted(UIDS))}\n"
    assert drawn(url, tmp_path / "x.png", "--dashboard", "i2i") == (2, "", wanted)
    code, _, err = drawn(url, tmp_path / "x.png", "--dashboard", "i2i-trial", "--last", "20", "--trial", "(")
    assert (code, err.count("\n")) == (2, 1) and "missing closing )" in err, "Prometheus's own words"
    assert not (tmp_path / "x.png").exists()


def test_without_a_prometheus_there_is_one_line(drawn, tmp_path):
    port = free_port(0)
    code, out, err = drawn(f"http://127.0.0.1:{port}", tmp_path / "x.png", "--dashboard", UIDS[0])
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: http://127.0.0.1:{port} does not answer as a Prometheus does: ")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.125, "percentunit", "12.5 %"),
        (90.0, "s", "1.5 min"),
        (7200.0, "s", "2 h"),
        (0.25, "s", "0.25 s"),
        (12_345.0, "short", "12.3 k"),
        (3.0, "short", "3"),
        (2.5e6, "Bps", "2.5 MB/s"),
        (0.0, "bytes", "0 B"),
    ],
)
def test_a_number_has_its_unit(value, unit, text):
    assert shown(value, unit) == text


def test_every_unit_of_a_panel_can_be_shown():
    for one in dashboards.ALL:
        assert [shown(1.0, panel.unit) for row in one.rows for panel in row.panels]


def test_a_line_is_called_as_its_legend_says():
    assert named("{{trial}} {{term}}, of {{nobody}}", {"trial": "0", "term": "cyc"}) == "0 cyc, of "


def test_pictures_that_are_kept_say_what_they_are():
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    kept = sorted((ROOT / "docs").glob("monitoring-*.png"))
    assert kept and all(path.stat().st_size < LARGEST for path in kept)
    assert all(f"]({path.name})" in page for path in kept)
    assert "not by Grafana" in NOTE and "not by Grafana" in page
