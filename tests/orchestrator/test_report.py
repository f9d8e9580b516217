"""The report of a sweep: what it says, what it refuses, what it leaves out, and that it is one file that asks for nothing."""

import itertools
import json
import os
import re
import stat

import pytest

from cluster.checkpoints.folder import Checkpoints
from orchestrator.finding import find_sweep
from orchestrator.report import data as report_data
from orchestrator.report import report
from orchestrator.report.report import make_page, write_report
from orchestrator.results.importance import Importance, Importances
from tests.orchestrator.reported import ID, L1, LICENSE, PATHS, SSIM, World, decoded, evil, grid

pytest.importorskip("plotly", reason="the extra `report` is not installed")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path).trial([0.5, 0.4, 0.3, 0.2]).trial([0.4, 0.3, 0.2, 0.1])


def page_of(world):
    """The page's text, what its scripts read, and what came of its pictures."""
    page, pictures = make_page(find_sweep(ID, world.store.uri))
    (found,) = re.findall(rb'<script type="application/json" id="data">(.*?)</script>', page)
    return page.decode(), json.loads(found), pictures


def words(page):
    """What the page shows without its scripts, spaces apart."""
    shown = re.sub(r"<(script|style).*?</\1>", "", page, flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", shown).split())


def test_it_says_what_was_found_and_where_it_comes_from(world, tmp_path, run):
    world.trial([0.6], "stopped", by="asha", why="not among the better ones").close()
    code, out, told = run("report", "toy", "--storage", tmp_path, "-o", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert (code, told) == (0, "")
    assert re.fullmatch(rf"report: {tmp_path}/page.html \(\d\.\d+MB\)\n", out)
    said = words(page)
    for line in (
        "Best: trial 1 with weights.l1 50, hyper.penalty gp: +0.1 in eval/l1 over the preset at equal steps",
        "1 of 3 trainings was stopped, by asha 1: 25 % of the steps were not needed",
        "Which axis mattered can be told from 8 judged settings on; so far there are 3",
        "2 stopped asha 100 0.6 -0.1",
        "2 7 stopped 100 asha 1 10 not among the better ones",
        "s3://bucket/shards?endpoint=http://host:8333, manifest 5eed",
        "i2i-cluster submit sweep.yaml",
        "log_uniform: - 10 - 200",
        f"Data: {LICENSE}",
    ):
        assert line in said, line
    assert "Pareto" not in said, "there is one objective"


def test_it_is_one_file_that_asks_for_nothing(world):
    page, data, _ = page_of(world.close())
    assert page.count("plotly.js v") == 1
    scripts = page.index("<script")
    assert not re.findall(
        r"<link|<script src|@import|url\(|https?://(?!host:8333)", page[:scripts] + page[page.rindex("</script>") :]
    )
    assert "default-src 'none'; img-src data:;" in page
    assert [trial["trial"] for trial in data["trials"]] == [1, 0], "the best first"
    assert data["trials"][1]["steps"] == [50, 100, 150, 200, 250, 300, 350, 400]
    assert data["trials"][1]["series"]["eval/l1"] == [None, 0.5, None, 0.4, None, 0.3, None, 0.2]
    assert data["trials"][1]["series"]["loss/l1"] == [None] * 8, "NaN is a gap"
    assert [step for step, _ in data["pictures"][0]["steps"]] == [100, 200, 300, 400]
    assert decoded(data["pictures"][0]["steps"][0][1]) == ("PNG", (214, 264))


def test_what_others_wrote_means_nothing_to_html(tmp_path):
    about = {"axes": {evil("axis"): evil("axis")}, "data": {"name": evil("data"), "license": evil("license")}}
    world = World(
        tmp_path, evil("name"), file=evil("file"), system=evil("system"), written={"code": evil("code")}, **about
    )
    world.trial(
        [{"eval/l1": 0.5, evil("metric"): 1.0}], "failed", error=evil("error"), params={evil("axis"): evil("value")}
    )
    world.trial([], "stopped", by=evil("by"), why=evil("why"), params={evil("axis"): 1})
    page, data, _ = page_of(world.close("failed", evil("reason")))
    assert "<img src=x" not in page
    assert "</script><script>window" not in page
    for place in ("name", "file", "system", "code", "error", "value", "by", "why", "license", "data"):
        assert f"&lt;img src=x onerror=&#34;window.hacked=&#39;{place}&#39;&#34;&gt;" in page, place
    (failed,) = (trial for trial in data["trials"] if trial["state"] == "failed")
    assert failed["marks"][-1][2].count("window.hacked") == 2, "the scripts get it as it is, as data"


def test_a_sweep_that_runs_says_so(world, tmp_path):
    page, data, _ = page_of(world.trial([0.3], "running").write())
    assert (
        "2 of 3 trainings have ended. What follows is how it stands, and may change. The sweep is interrupted: submit"
        in words(page)
    )
    (running,) = (trial for trial in data["trials"] if trial["trial"] == 2)
    assert running["spans"] == [["2023-11-14 22:13:53.000", 3.0, "its driver was lost"]], "nobody holds its lock"


def test_a_sweep_without_trials_is_a_page_too(tmp_path):
    page, data, _ = page_of(World(tmp_path).write())
    said = words(page)
    assert "No training has ended yet. What follows is how it stands, and may change." in said
    assert "No trial has been evaluated yet" in said
    assert "There are no pictures: one is stored at each evaluation." in said
    assert (data["trials"], data["settings"], data["pictures"]) == ([], [], [])
    page, _, _ = page_of(World(tmp_path).trial([]).write())
    assert 'id="chart-scores"' not in page, "nothing was reported"


def test_one_that_has_not_started_is_refused(tmp_path, run):
    (tmp_path / ID).mkdir()
    (tmp_path / ID / "log.jsonl").write_bytes(b"")
    code, _, told = run("report", ID, "--storage", tmp_path)
    assert (code, told) == (2, f"error: sweep {ID} has not started yet: its log is empty\n")


def test_what_steers_a_reader_is_written_out(tmp_path):
    page, _, _ = page_of(World(tmp_path, "\ud800\u202ename", written={"name": "\ud800\u202efile"}).write())
    assert "\\ud800\\u202ename" in words(page)
    assert "\u202e" not in page


def test_several_objectives_have_a_front(tmp_path):
    world = World(tmp_path, objectives=[L1, SSIM])
    for l1, ssim in ((0.5, 0.5), (0.1, 0.2), (0.4, 0.9), (0.3, 0.8)):
        world.trial([{"eval/l1": l1, "eval/ssim": ssim}])
    page, data, _ = page_of(world.close())
    assert {one["setting"]: (one["front"], one["winner"]) for one in data["settings"]} == {
        0: (False, False), 1: (True, False), 2: (True, False), 3: (True, True)
    }  # fmt: skip
    assert "Suggested, the knee of the front: trial 3" in words(page)


def test_what_mattered_is_a_table(world, monkeypatch):
    weighed = Importances(9, {"eval/l1": [Importance("weights.l1", 0.75, 0.01), Importance("<b>", 0.25, 0.5)]})
    monkeypatch.setattr("orchestrator.report.parts.importances", lambda found: weighed)
    page = page_of(world.close())[0]
    assert "By 9 settings." in page
    assert "axis share by chance weights.l1 75 % 1 % &lt;b&gt; 25 % 50 %" in words(page)


def test_axes_are_as_they_were_searched(world):
    world.trial([0.2], params={"weights.l1": 20.0, "hyper.penalty": "gp"}).trial([0.2], params={"weights.l1": 30.0})
    _, data, _ = page_of(world.close())
    assert data["axes"] == [
        {"name": "weights.l1", "log": True, "words": []},
        {"name": "hyper.penalty", "log": False, "words": ["gp", "none"]},
    ]
    assert [one["values"] for one in data["settings"]] == [[50.0, "gp"], [100.0, "none"], [20.0, "gp"], [30.0, None]]


def test_the_newest_checkpoint_says_who_made_it(world, tmp_path):
    import torch

    commit = "0123456789" * 4
    made = {"git": commit, "git_dirty": True, "packages": {"torch": "2.13.0"}, "processor": "a processor"}
    digest = Checkpoints(world.store, PATHS.checkpoints(1)).save({"a": torch.zeros(1)}, 400, {"provenance": made})
    said = words(page_of(world.close())[0])
    assert f"git checkout {commit} # the working folder had changes beside it" in said
    assert f"i2i-cluster checkpoints digest {ID} --trial 1 # {digest}" in said
    assert "packages torch 2.13.0 machine a processor" in said


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("", "is a folder; name a file, such as {0}/report.html"),
        ("none/page.html", "{0}/none is no folder; make it first"),
        ("/dev/null", "is no ordinary file"),
        ("x" * 300, "cannot be written: file name too long"),
    ],
)
def test_a_place_where_no_page_can_be_is_refused_before_any_work(world, tmp_path, run, place, told):
    world.close()
    code, out, error = run(
        "report", "toy", "--storage", tmp_path, "-o", tmp_path / place if place != "/dev/null" else place
    )
    assert (code, out) == (2, "")
    assert error == f"error: --output: {told.format(tmp_path)}\n"


def test_an_unknown_sweep_and_a_missing_package_are_told(world, tmp_path, run, monkeypatch):
    world.close()
    code, _, told = run("report", "tyo", "--storage", tmp_path)
    assert (code, told) == (2, f"error: no sweep 'tyo' in {tmp_path}; nearest: toy; has: toy\n")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, told = run("report", "toy", "--storage", tmp_path)
    assert (code, told) == (
        2, "error: a report is made with jinja2 and plotly: pip install 'i2i-cluster[report]'\n"
    )  # fmt: skip


@pytest.fixture
def usual_umask():
    """Files are readable to all, as on most machines."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_it_replaces_the_last_one_whole_or_not_at_all(world, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    world.close()
    assert run("report", "toy", "--storage", tmp_path)[0] == 0
    file = tmp_path / "toy-report.html"
    before = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    monkeypatch.setattr(os, "replace", lambda one, other: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    code, _, told = run("report", "toy", "--storage", tmp_path)
    assert (code, told) == (2, "error: --output: cannot be written: no space left on device\n")
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [ID, "toy-report.html"], "nothing is left beside it"


def test_a_name_that_is_no_file_s_is_not_used_as_one(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    World(tmp_path, "../../etc/x").trial([0.5]).close()
    assert run("report", ID, "--storage", tmp_path)[0] == 0
    assert (tmp_path / f"{ID}-report.html").exists()


def test_damaged_pictures_are_named_and_left_out(world, tmp_path, run):
    whole = grid(1, 400)
    world.store.write(PATHS.grid(1, 100), whole[: len(whole) // 2])
    world.store.write(PATHS.grid(1, 200), b"<svg onload='alert(1)'/>")
    world.close()
    code, _, told = run("report", "toy", "--storage", tmp_path, "-o", tmp_path / "page.html")
    named = [f"{ID}/trials/0001/grids/step-{step:08d}.png: not a whole PNG" for step in (200, 100)]
    assert (code, set(told.splitlines())) == (0, {f"left out as damaged: {name}" for name in named})
    page = (tmp_path / "page.html").read_text()
    assert all(name in words(page) for name in named)
    assert [step for step, _ in page_of(world)[1]["pictures"][0]["steps"]] == [300, 400]


def test_a_page_is_never_larger_than_it_may_be(world, monkeypatch):
    """Pictures are compressed first, and left out where that is not enough: never all of a trial, nor its first or last."""
    for trial, step in itertools.product((0, 1), range(100, 900, 100)):
        world.store.write(PATHS.grid(trial, step), grid(trial, step, noisy=True))
    monkeypatch.setattr(report, "SPARE", 2_000)
    whole = len(page_of(world.close())[0])
    monkeypatch.setattr(report, "LARGEST", whole - 1)
    page, _, pictures = page_of(world)
    assert (len(page) < whole - 1_000_000, pictures.recoded, pictures.left_out) == (True, True, 0)
    assert "16 of 16 pictures are in it, compressed (WebP); the storage has all of them whole." in words(page)
    most = len(page) - 400_000
    monkeypatch.setattr(report, "LARGEST", most)
    page, data, pictures = page_of(world)
    kept = {one["trial"]: [step for step, _ in one["steps"]] for one in data["pictures"]}
    count = sum(map(len, kept.values()))
    assert len(page) <= most
    assert 4 <= count < 16 == pictures.found == count + pictures.left_out
    assert all({100, 800} <= set(steps) for steps in kept.values())
    assert {decoded(src)[0] for one in data["pictures"] for _, src in one["steps"]} == {"WEBP"}
    assert f"{count} of 16 pictures are in it, compressed (WebP), and {16 - count} are left out, evenly" in words(page)


def test_a_large_sweep_is_thinned_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(report_data, "CURVES", 3)
    monkeypatch.setattr(report_data, "POINTS", 5)
    monkeypatch.setattr(report_data, "LINES", 4)
    world = World(tmp_path, trials=6)
    for number in range(6):
        world.trial([0.1 * number + 0.1, 0.1 * number, 0.1 * number + 0.2], pictures=False)
    page, data, _ = page_of(world.close())
    assert "Curves, pictures and times are of 3 of 6 trials: the best and the preset." in words(page)
    assert "Curves are drawn by 5 points at most, evaluations first; the longest has 6." in words(page)
    assert [trial["steps"] for trial in data["trials"]] == [[50, 100, 200, 300]] * 3
    assert [trial["trial"] for trial in data["trials"]] == [0, 1, 2], "the best, the preset among them"
    assert "Lines and points are of 4 of 6 settings: the best, and others evenly by rank." in words(page)
    assert [one["setting"] for one in data["settings"]] == [0, 1, 2, 4]


@pytest.mark.parametrize("log", ["s3"], indirect=True)
def test_it_is_the_same_from_s3(log, tmp_path):
    remote, local = (
        World(storage).trial([0.5, 0.4]).trial([0.3, 0.2]).close() for storage in (log.store.uri, tmp_path / "here")
    )
    one, other = page_of(remote), page_of(local)
    assert one[1] == other[1]
    file = tmp_path / "page.html"
    write_report(find_sweep(f"{remote.store.uri.replace('?', f'/{ID}?')}", "nowhere"), file)
    assert len(file.read_text()) == len(one[0])
