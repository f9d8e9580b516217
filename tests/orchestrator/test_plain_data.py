"""A plan on shards without a manifest: it says what nobody knows, and refuses what needs an index."""

import io
import json
import tarfile

import pytest
from PIL import Image
from rich.console import Console

from orchestrator.planning.plain_data import HAS_MANIFEST, NOT_EXACT
from orchestrator.planning.view import describe, print_plan


@pytest.fixture(scope="module")
def tars(tmp_path_factory):
    """tars(horses=["x.jpg"], ...): a folder with these shards of small pictures."""

    def make(**shards):
        folder = tmp_path_factory.mktemp("tars")
        picture = io.BytesIO()
        Image.new("RGB", (40, 30)).save(picture, "PNG")
        for shard, names in shards.items():
            with tarfile.open(folder / f"{shard}.tar", "w") as tar:
                for name in names:
                    info = tarfile.TarInfo(name)
                    info.size = len(picture.getvalue())
                    tar.addfile(info, io.BytesIO(picture.getvalue()))
        return folder

    return make


@pytest.fixture(scope="module")
def animals(tars):
    return tars(horses=["1.png", "2.png"], zebras=["1.png", "2.png"], zebras_val=["9.png"])


DOMAINS = "domains: {a: 'horses*.tar', b: 'zebras*.tar:png'}"


def on(folder, more=DOMAINS):
    return f"data: {{uri: '{folder}', mode: stream, {more}}}"


def test_what_is_unknown_is_said(planned, animals, tars):
    plan = planned(on(tars(train=["1.a.png", "1.b.png"], val=["2.a.png", "2.b.png"]), "batch: 4"))
    told = json.loads(json.dumps(describe(plan)))
    assert told["data"]["mode"] == "stream"
    assert told["data"]["stored"] == {"a": [3, 30, 40], "b": [3, 30, 40]}
    assert told["data"]["train"] == told["data"]["validation"] == {"a": None, "b": None}
    assert told["data"]["truth"] is True
    assert NOT_EXACT in told["notes"] and HAS_MANIFEST not in told["notes"]
    console = Console(width=400, record=True, file=io.StringIO())
    print_plan(plan, console)
    assert (
        "to train unknown without an index; to validate unknown without an index, with truth" in console.export_text()
    )
    run = plan.run(0, {})
    assert (run.data.mode, run.data.domains, run.data.manifest) == ("stream", {}, plan.data.sha256)


def test_the_listing_and_the_patterns_are_the_identity(planned, tars):
    folder = tars(horses=["1.png", "2.png"], zebras=["1.png"])
    before = planned(on(folder))
    assert before.run(0, {}).data.domains == {"a": "horses*.tar", "b": "zebras*.tar:png"}
    assert planned(on(folder)).id == before.id
    (folder / "zebras.tar").rename(folder / "zebras1.tar")
    assert planned(on(folder)).id != before.id
    (folder / "manifest.parquet").touch()
    assert HAS_MANIFEST in planned(on(folder)).notes


def test_only_what_validates_can_judge(refused, animals):
    search = "\nsearch: {weights.cyc: {log_uniform: [1, 30]}}\ntrials: 4\nobjective: {metric: eval/psnr}"
    (line,) = refused(on(animals, "domains: {a: 'horses*.tar', b: 'zebras*.tar'}") + search)
    assert "objective.metric: eval/psnr needs validation pictures, and" in line


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        (
            f"mode: stream, {DOMAINS}, limit: {{a: 1}}, balanced: true",
            [
                "data.limit: cannot be had with mode stream: it needs a manifest, as `i2i-cluster shards index` makes it",
                "data.balanced: cannot be had with mode stream: it needs a manifest, as `i2i-cluster shards index` makes it",
            ],
        ),
        (
            DOMAINS,
            [
                "data.domains: the manifest says what is of which domain; give the patterns to `i2i-cluster shards index "
                "--domain`, or leave the manifest out with data.mode: stream"
            ],
        ),
        (
            "mode: stream, domains: {a: 'horses*.tar', b: ''}",
            ["data.domains.b: 'b=' is no domain pattern; write a=jpg, a=horses-*.tar or a=horses-*.tar:jpg"],
        ),
        ("mode: streamed", ["data.mode: cannot be 'streamed'; nearest: stream; has: indexed, stream"]),
    ],
)
def test_keys_that_do_not_go_together(refused, values, keys, lines):
    found = [line.removeprefix("sweep.yaml: ") for line in refused(f"data: {{{keys}}}")]
    assert [line for line in found if not line.startswith("data.uri: ")] == lines


def test_bad_data_is_one_line(refused, animals, tars, tmp_path):
    def line(text):
        (found,) = refused(text)
        return found.removeprefix("sweep.yaml: data.uri: ")

    assert line(on(tmp_path)) == f"{tmp_path} holds no shards (no file whose name ends in .tar)"
    texts = tars(x=["1.txt", "2.json"])
    assert line(on(texts, "batch: 4")).startswith(
        f"{texts}: no pictures of domain a in x.tar (extensions found: json, txt)"
    )
    assert line(on(animals, "domains: {a: 'horse-*.tar', b: png}")) == (
        f"{animals}: no shard's name fits 'horse-*.tar'; there is horses.tar, zebras.tar, zebras_val.tar"
    )
    assert line(on(animals, "domains: {a: 'horses*.tar', c: png}")) == (
        f"{animals}: no pattern is given for domain b; has: a, c"
    )
    assert "without a manifest, the pictures of a pair must be in one sample" in line(
        "system: pix2pix\n" + on(animals, "domains: {a: 'horses*.tar', b: 'zebras*.tar'}")
    )
