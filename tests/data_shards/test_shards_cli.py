import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from data_shards.manifest import Manifest
from orchestrator import cli
from orchestrator.shards import view as shards_view
from tests.data_shards.tars import picture, write_tar


@pytest.fixture
def talkative(monkeypatch):
    """Work tells how far it is however short it is."""
    monkeypatch.setattr(shards_view, "_SOON", 0.0)


@pytest.fixture
def run(monkeypatch, capsys):
    """run("stat", "folder") -> (exit code, standard output, standard error) of `i2i-cluster shards`."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["i2i-cluster", "shards", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run


def test_build_says_what_it_does_and_does_it_once(run, talkative, tmp_path: Path):
    command = ("build", "openmoji", str(tmp_path / "out"), "--size", "16", "--limit", "30")
    code, out, err = run(*command)
    assert code == 0
    assert out.startswith(f"made {tmp_path}/out\n")
    assert "CC BY-SA 4.0" in out
    assert re.fullmatch(r"openmoji: (\d+) of \1(, .*)?", err.splitlines()[-1])
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path}/out is up to date, nothing was done\n")


def test_stat(run, negatives: Manifest):
    code, out, _ = run("stat", negatives.uri)
    assert code == 0
    assert negatives.sha256 in out
    code, out, _ = run("stat", negatives.uri, "-o", "json")
    told = json.loads(out)
    assert told["pairs"] == {split: len(negatives.pairs(split)) for split in ("train", "validation")}
    assert told["pictures"]["a"]["train"] == negatives.domains["a"].train


def test_stat_shows_the_classes_and_draws_a_sheet(run, negatives: Manifest, tmp_path: Path):
    code, out, _ = run("stat", negatives.uri, "--sheet", str(tmp_path / "sheet.png"))
    assert code == 0
    assert out.endswith(f"wrote {tmp_path}/sheet.png\n")
    assert re.search(r"^odd +\d+ +\d+ +#+$", out, re.MULTILINE)
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = run("stat", negatives.uri, "-o", "json", "--sheet", str(tmp_path / "sheet.png"))
    told = json.loads(out)
    assert err == f"wrote {tmp_path}/sheet.png\n"
    assert {count["name"] for count in told["balance"]} == {"odd", "even"}
    assert told["shard_bytes"]["least"] <= told["shard_bytes"]["median"] <= told["shard_bytes"]["most"]


def test_verify_tells_programs_and_people(run, talkative, negatives: Manifest, tmp_path: Path):
    copy = Path(shutil.copytree(negatives.uri, tmp_path / "copy"))
    code, out, err = run("verify", str(copy), "--decode")
    assert code == 0
    assert out.startswith("2 of 2 shards are good (80 pictures, checksums and decoding, sha256 ")
    assert re.fullmatch(r"verify: 1 of 2, about 0 s left\nverify: 2 of 2\n", err)
    row = negatives.row("a", negatives.pairs("train")[0])
    damaged = bytearray((copy / row.shard).read_bytes())
    damaged[row.offset] ^= 1
    (copy / row.shard).write_bytes(damaged)
    code, out, _ = run("verify", str(copy))
    assert code == 1
    assert f"{row.shard}: {row.key} in domain a has crc32c" in out
    assert "1 of 2 shards are good" in out
    assert "restore the damaged shards from a copy" in out
    code, out, _ = run("verify", str(copy), "-o", "json")
    told = json.loads(out)
    assert (code, told["good"]) == (1, False)
    assert [shard["good"] for shard in told["shards"]] == [False, True]
    assert told["shards"][0]["samples"][0]["key"] == row.key


def test_index_says_what_it_does_and_does_it_once(run, talkative, tmp_path: Path):
    files = {f"{i}.[b]{d}.png": picture(i + 50 * (d == "b")) for i in range(12) for d in "ab"}
    write_tar(tmp_path / "set/0.tar", files)
    write_tar(tmp_path / "set/1.tar", {"x.[b]a.png": b"none", "y.[b]a.png": picture(99)})
    command = ("index", str(tmp_path / "set"), "--out", str(tmp_path / "here"), "--name", "mine")
    code, out, err = run(*command)
    assert code == 0
    assert out.startswith(f"made {tmp_path}/here\n")
    assert re.search(r"^\[b\]a +8x8x3 +\d+ +\d+ *$", out, re.MULTILINE)
    assert "left out, as they are no pictures that can be read: 1 (1.tar: x.[b]a.png" in out
    assert re.fullmatch(r"index: 1 of 2, about 0 s left\nindex: 2 of 2\n", err)
    code, out, err = run(*command, "-o", "json")
    told = json.loads(out)
    assert (code, told["up_to_date"], told["name"]) == (0, True, "mine")
    code, out, err = run(*command, "--prefix-keys")
    assert (code, out) == (2, "")
    assert err.endswith("was made otherwise: prefix_keys False there, True wanted; --again replaces it\n")
    code, out, _ = run(*command, "--prefix-keys", "--again", "-o", "json")
    assert (code, json.loads(out)["up_to_date"]) == (0, False)
    code, out, _ = run("stat", str(tmp_path / "here"))
    assert f"shards at {tmp_path}/set\n" in out


def test_the_command_of_the_error_about_domains_works(run, tmp_path: Path):
    for name in ("horses-0.tar", "zebras-0.tar"):
        write_tar(tmp_path / "my shards" / name, {f"{name}{i}".replace(".", "") + ".png": picture(i) for i in range(3)})
    code, out, err = run("index", str(tmp_path / "my shards"))
    assert (code, out) == (2, "")
    command = err.strip().partition("for example: i2i-cluster shards ")[2]
    assert command
    code, out, _ = run(*shlex.split(command), "-o", "json")
    assert (code, sorted(json.loads(out)["pictures"])) == (0, ["a", "b"])


def test_every_command_teaches_by_example(run):
    for command in (["index"], ["verify"], ["stat"], ["build", "openmoji"], ["build", "digits"], ["build", "folder"]):
        code, out, _ = run(*command, "--help")
        told = " ".join(out.split())
        assert code == 0
        assert f"i2i-cluster shards {' '.join(command)} " in told.partition("Example")[2]


def test_refusals_are_one_line_and_exit_2(run, tmp_path: Path):
    for command in (
        ("stat", str(tmp_path)),
        ("verify", str(tmp_path)),
        ("index", str(tmp_path)),
        ("index", str(tmp_path), "--domain", "a"),
        ("build", "folder", "out", "--from", "nowhere"),
        ("build", "digits", "ftp://host/x"),
        ("stat", "s3://b/k"),
        ("verify", "s3://bucket/k?endpiont=http://x"),
        ("stat", str(tmp_path), "--sheet", "sheet.jpg"),
    ):
        code, out, err = run(*command)
        assert (code, out) == (2, ""), command
        assert err.startswith("error: ")
        assert err.count("\n") == 1


def test_the_world_s_failures_are_one_line_and_exit_1(run, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    nobody = "s3://bucket/x?endpoint=http://127.0.0.1:9&deadline=1s"
    for command in ("stat", "verify", "index"):
        code, out, err = run(command, nobody)
        assert (code, out) == (1, "")
        assert re.fullmatch(r"error: .*127\.0\.0\.1:9.*\n", err)
    (tmp_path / "file").write_text("")
    code, out, err = run("build", "digits", str(tmp_path / "file/shards"))
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_all_of_it_in_an_object_store(run, talkative, bucket: str, tmp_path: Path):
    code, out, err = run("build", "openmoji", bucket, "--size", "16", "--limit", "30", "--labels")
    assert (code, out.splitlines()[0]) == (0, f"made {bucket}")
    assert "upload: 2 of 2" in err
    assert run("build", "openmoji", bucket, "--size", "16", "--limit", "30", "--labels")[1].startswith(
        f"{bucket} is up to"
    )
    assert run("verify", bucket)[0] == 0
    code, out, _ = run("stat", bucket, "--sheet", str(tmp_path / "sheet.png"))
    assert (code, "grey levels of labels, darkest first: background, line, skin, hair, colour" in out) == (0, True)


def test_work_of_less_than_a_second_tells_nothing(capsys):
    now = 100.0
    lines = shards_view._Lines("index", lambda: now)
    for done in range(1, 11):
        now += 0.09
        lines(done, 10)
    assert capsys.readouterr().err == ""
    lines = shards_view._Lines("index", lambda: now)
    for done in range(1, 21):
        now += 0.4
        lines(done, 20)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "index: 4 of 20, about 6 s left"
    assert told[-1] == "index: 20 of 20"
    assert len(told) == 9


def test_progress_on_a_terminal_waits_a_second_too(monkeypatch):
    screen = io.StringIO()
    console = partial(Console, file=screen, force_terminal=True, width=80)
    monkeypatch.setattr("rich.console.Console", lambda **_: console())
    for soon, shown in ((1e9, False), (0.0, True)):
        monkeypatch.setattr(shards_view, "_SOON", soon)
        with shards_view.watched("verify") as (progress,):
            progress(1, 2)
        assert ("verify" in screen.getvalue()) is shown


def test_stat_tells_texts_and_mixed_sizes_and_no_classes_where_there_are_none(run, tmp_path: Path, negatives: Manifest):
    files = {"0.a.png": picture(0, size=(20, 12)), "1.a.png": picture(1, size=(9, 30)), "1.txt": b"one"}
    write_tar(tmp_path / "0.tar", {**files, "0.b.png": picture(2)})
    assert run("index", str(tmp_path), "--validation", "0")[0] == 0
    _, out, _ = run("stat", str(tmp_path))
    assert re.search(r"^a +at least 9x9x3 +2 +0 *$", out, re.MULTILINE)
    assert re.search(r"^b +8x8x3 +1 +0 *$", out, re.MULTILINE)
    assert "pictures with a text: 1 of 2 of a, 0 of 1 of b\n" in out
    assert "classes" not in out
    _, out, _ = run("stat", negatives.uri)
    assert "2 classes, sha256" in out
    assert "pictures with a text: 40 of 40 of a, 40 of 40 of b\n" in out


def test_paired_shards_by_the_examples_of_the_help(run, tmp_path: Path):
    for name in ("photos-0.tar", "maps-0.tar"):
        write_tar(tmp_path / name, {f"{i}.png": picture(i + 9 * len(name)) for i in range(4)})
    told = run("index", "--help")[1].partition("Example")[2].replace("\n", " ")
    (example,) = re.findall(r"my-maps (--domain .*--paired)", " ".join(told.split()))
    options = shlex.split(example)
    code, out, _ = run("index", str(tmp_path), *options, "-o", "json")
    assert (code, sum(json.loads(out)["pairs"].values())) == (0, 4)
    options.remove("--paired")
    code, out, _ = run("index", str(tmp_path), *options, "--again", "-o", "json")
    assert (code, sum(json.loads(out)["pairs"].values())) == (0, 0)


def test_help_says_that_sizes_must_agree(run):
    told = run("build", "folder", "--help")[1]
    assert "Without it all pictures of a domain must have one size" in " ".join(re.sub(r"[│|]", " ", told).split())


def test_help_brings_in_nothing_heavy() -> None:
    code = (
        "import sys, orchestrator.shards.cli\n"
        "print([name for name in ('numpy', 'pyarrow', 'PIL', 'torch', 'ray') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout == "[]\n"
