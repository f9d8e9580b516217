"""`study show`: what participants' files come to, and every way in which they can be damaged."""

import json

import pytest

from tests.orchestrator.study.made import OTHER, STUDY, row, session, text

HONEST = session("aaaaaaaa", "x...x.x...", practice=2)  # 3 of 10
EASY = session("bbbbbbbb", "xxxxx.x.xx", practice=2)  # 8 of 10


@pytest.fixture
def shown(run, tmp_path):
    """shown({name: text}, *options): what JSON says of these files."""

    def show(files, *options):
        code, out, err = run("study", "show", *written(tmp_path, files), "-o", "json", *options)
        assert (code, err) == (0, "")
        return json.loads(out)

    return show


@pytest.fixture
def refused(run, tmp_path):
    """refused({name: text}, *options): the lines of the refusal."""

    def lines(files, *options):
        code, out, err = run("study", "show", *written(tmp_path, files), *options)
        assert (code, out) == (2, ""), err
        return [line.removeprefix("error: ").replace(f"{tmp_path}/", "") for line in err.splitlines()]

    return lines


def written(folder, files):
    for name, content in files.items():
        (folder / name).write_text(content)
    return [folder / name for name in files]


def by_participant(found, place=0):
    return {one["participant"]: one for one in found["studies"][place]["by_participant"]}


def test_what_counts_is_counted_and_practice_is_not(shown):
    found = shown({"a.csv": text(*HONEST), "b.csv": text(*EASY)})
    (one,) = found["studies"]
    assert (one["study"], one["name"], one["participants"], one["trials"]) == (STUDY, "cyclegan", 2, 20)
    assert one["fooled"] == pytest.approx(11 / 20)
    assert one["interval"] == pytest.approx([0.3, 0.8]), "of two people either may be drawn twice"
    assert one["interval_over"] == "participants"
    assert {who: told["fooled"] for who, told in by_participant(found).items()} == {"aaaaaaaa": 0.3, "bbbbbbbb": 0.8}
    assert (found["level"], found["resamples"], found["seed"]) == (0.95, 10_000, 0)


def test_joined_files_are_the_same(shown):
    apart = shown({"a.csv": text(*HONEST), "b.csv": text(*EASY)})
    assert shown({"all.csv": text(*EASY) + text(*HONEST)}) == apart
    assert shown({"all.csv": text(*EASY, *HONEST)}) == apart
    assert shown({"all.csv": "\ufeff" + text(*HONEST, *reversed(EASY)).replace("\n", "\r\n")}) == apart


def test_files_may_be_joined_by_programs_that_know_nothing_of_them(shown):
    """`cat` leaves the mark of each file's beginning where it was, and sets nothing between files."""
    apart = shown({"a.csv": text(*HONEST), "b.csv": text(*EASY)})
    assert shown({"all.csv": "\ufeff" + text(*EASY) + "\ufeff" + text(*HONEST)}) == apart
    assert shown({"all.csv": text(*EASY).rstrip("\n") + text(*HONEST)}) == apart
    assert shown({"all.csv": "\ufeff" + text(*EASY).rstrip("\n") + "\ufeff" + text(*HONEST)}) == apart


def test_a_study_s_row_hangs_on_no_other_study(shown):
    mine = {"a.csv": text(*HONEST), "b.csv": text(*EASY)}
    people = [session(f"cccccc{sign}{sign}", "x.x......x"[place:] + "." * place, study=OTHER, name="unit") for place, sign in
              enumerate("abcd")]  # fmt: skip
    alone, both = shown(mine), shown({**mine, "c.csv": text(*(one for rows in people for one in rows))})
    assert [one["name"] for one in both["studies"]] == ["cyclegan", "unit"]
    assert both["studies"][0] == alone["studies"][0]
    assert both["studies"][1]["trials"] == 40
    assert shown(mine, "--seed", 5)["studies"][0]["fooled"] == alone["studies"][0]["fooled"]


def test_one_participant_s_interval_is_over_trials(run, tmp_path):
    (tmp_path / "a.csv").write_text(text(*HONEST))
    code, out, err = run("study", "show", tmp_path / "a.csv")
    assert code == 0
    assert "one participant, so the interval is over trials" in err
    assert [line.split() for line in out.splitlines()] == [
        ["Fakes", "taken", "for", "real", "(50", "%:", "nobody", "can", "tell)"],
        ["study", "id", "participants", "trials", "fooled", "%", "95", "%", "interval", "over"],
        ["cyclegan", STUDY, "1", "10", "30.0", "0.0", "..", "60.0", "trials"],
        [],
        ["Participants"],
        ["participant", "trials", "fooled", "%", "reaction", "ms", "flags"],
        ["aaaaaaaa", "10", "30.0", "812"],
    ]


def test_who_did_not_look_is_flagged_and_stays_in(shown, run, tmp_path):
    always = [{**one, "answer": "first", "correct": "yes" if one["first"] == "fake" else "no"} for one in EASY]
    fast = session("dddddddd", "x...x.x...", practice=2, reaction_ms="149")
    late = session("eeeeeeee", "x...x.x...", practice=2, first_ms="1140")
    files = {"a.csv": text(*HONEST), "b.csv": text(*always), "d.csv": text(*fast), "e.csv": text(*late)}
    found = shown(files)
    assert {who: told["flags"] for who, told in by_participant(found).items()} == {
        "aaaaaaaa": [],
        "bbbbbbbb": ["always the first"],
        "dddddddd": ["answers in less than 150 ms"],
        "eeeeeeee": ["exposure off in 10"],
    }
    assert found["studies"][0]["participants"] == 4
    assert by_participant(shown(files, "--fastest", "100ms"))["dddddddd"]["flags"] == []
    less = shown(files, "--leave-out", "bbbbbbbb", "--leave-out", "dddddddd")
    assert less["studies"][0]["left_out"] == ["bbbbbbbb", "dddddddd"]
    assert sorted(by_participant(less)) == ["aaaaaaaa", "eeeeeeee"]
    _, out, err = run("study", "show", *written(tmp_path, files), "--leave-out", "dddddddd")
    assert "always the first" in out
    assert "with fewer than 10 the interval is likely too narrow" in err
    assert "left out dddddddd" in err
    assert "flagged, and counted: bbbbbbbb, eeeeeeee; --leave-out CODE counts without" in err


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"answer": "third"}, "answer: must be first or second, not 'third'"),
        ({"part": ""}, "part: must be practice or scored, not ''"),
        ({"correct": "no"}, "correct: is no, but the real picture came first and the answer is second"),
        ({"trial": 0}, "trial: must be a whole number of at least 1, not '0'"),
        ({"trial": 3}, "trial: is 3 of 1"),
        ({"reaction_ms": "nan"}, "reaction_ms: must be a time in ms, not 'nan'"),
        ({"second_ms": "-3"}, "second_ms: must be a time in ms, not '-3'"),
        ({"study": "xyz"}, "study: is none: 'xyz'"),
        ({"participant": "Ann"}, "participant: is none: 'Ann'"),
        ({"format": 2}, "format: format 2 is newer than this program, which reads up to 1"),
        ({"name": "a,b"}, "has 17 columns, not 16"),
    ],
)
def test_a_damaged_row_is_refused_with_its_line(refused, changed, line):
    files = {"a.csv": text(*HONEST), "b.csv": text(row(participant="bbbbbbbb") | changed)}
    told = refused(files)
    assert told == [f"b.csv: line 2: {line}"]


def test_every_damaged_row_is_told(refused):
    bad = [{**one, "answer": "x"} if place in (3, 5) else one for place, one in enumerate(HONEST)]
    assert [line.partition(": answer")[0] for line in refused({"a.csv": text(*bad)})] == [
        "a.csv: line 5",
        "a.csv: line 7",
    ]
    assert len(refused({"a.csv": text(*({**one, "part": "x"} for one in HONEST * 3))})) == 20


def test_files_that_are_none(refused, tmp_path):
    (tmp_path / "folder").mkdir()
    lines = refused({"a.csv": "x,y\n1,2\n", "b.csv": "", "c.csv": text(row()).replace(",", ";")})
    assert lines[0].startswith("a.csv: line 1: is no head of a study's answers: 'x,y'; has: format, study,")
    assert lines[1] == "b.csv: is empty"
    assert lines[2].startswith("c.csv: line 1: is no head of a study's answers: 'format;study;")
    assert refused({}, tmp_path / "folder") == ["folder: cannot be read: is a directory"]
    assert refused({}, tmp_path / "none.csv") == ["none.csv: cannot be read: no such file or directory"]
    assert refused({"a.csv": text()}) == ["ANSWERS.CSV: no answers: the files hold heads alone"]
    (tmp_path / "d.csv").write_bytes(text(row(name="caf")).encode().replace(b"caf", b"caf\xe9"))
    assert refused({}, tmp_path / "d.csv") == ["d.csv: is no text in UTF-8"]
    assert refused({"e.csv": text(row()) + '1,"abc'}) == ["e.csv: line 3: is damaged: unexpected end of data"]


def test_a_participant_is_whole_and_there_once(refused):
    whole = text(*HONEST)
    assert refused({"a.csv": whole, "again.csv": whole}) == [
        "again.csv: line 2: participant: aaaaaaaa answered trial 1 in a.csv line 2 already; give each answer once"
    ]
    assert refused({"a.csv": text(*HONEST[:7], *HONEST[9:])}) == [
        "a.csv: participant: aaaaaaaa has 10 of 12 trials; missing: 8, 9"
    ]
    assert refused({"a.csv": text(*({**one, "trials": 2} for one in HONEST[:2]))}) == [
        "a.csv: participant: aaaaaaaa has no scored trial"
    ]


def test_rows_of_another_study_are_refused(refused, shown):
    files = {"a.csv": text(row()), "b.csv": text(row(study=OTHER, participant="bbbbbbbb"))}
    assert len(shown(files)["studies"]) == 2
    assert refused(files, "--study", STUDY) == [f"b.csv: line 2: study: is of study {OTHER}, not of {STUDY}"]
    mixed = {"a.csv": text(row(trials=2), row(trials=2, trial=2, study=OTHER))}
    assert refused(mixed) == [f"a.csv: line 3: study: aaaaaaaa is of study {STUDY} in a.csv line 2"]
    other = {"a.csv": text(row()), "b.csv": text(*session("bbbbbbbb", "x..", exposure_ms=500))}
    assert refused(other) == ["b.csv: line 2: trials: is 3, and 1 in a.csv line 2, of the same study"], "told once"
    other["b.csv"] = text(row(participant="bbbbbbbb", exposure_ms=500))
    assert refused(other) == ["b.csv: line 2: exposure_ms: is 500.0, and 1000.0 in a.csv line 2, of the same study"]


def test_nobody_is_left_out_by_mistake(refused):
    files = {"a.csv": text(*HONEST)}
    assert refused(files, "--leave-out", "aaaaaaab") == [
        "--leave-out: no participant aaaaaaab; nearest: aaaaaaaa; has: aaaaaaaa"
    ]
    assert refused(files, "--leave-out", "aaaaaaaa") == [f"--leave-out: nobody is left of study {STUDY}"]


@pytest.mark.parametrize("command", ["make", "show"])
def test_help(run, command):
    code, out, _ = run("study", command, "--help")
    assert code == 0
    wanted = {
        "make": ("--paired", "--exposure", "--pictures", "--size"),
        "show": ("--leave-out", "--resamples", "--study"),
    }
    assert all(option in out for option in wanted[command])
    assert f"i2i-cluster study {command}" in out
