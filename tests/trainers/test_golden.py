"""The first steps of every system come to what they came to, on any processor. `make golden` compares every bit on one."""

import shutil

import pytest

from scripts.golden import ROOT, compared, digests, unpack
from tests.trainers import golden, worlds
from tests.trainers.golden import differences

AGAIN = "run `python -m tests.trainers.golden --write`"


@pytest.mark.parametrize("name", golden.names())
def test_the_first_steps_come_to_what_they_came_to(name):
    before = golden.kept().get(name)
    if before is None:
        pytest.fail(f"no golden values for {name}: {AGAIN}")
    found = list(differences(before, golden.values_of(golden.engine(name))))
    assert not found, f"{name} trains otherwise than before; if that is meant, {AGAIN}"


def test_compiled_networks_come_to_what_they_come_to_as_they_are_written():
    (name,) = [name for name, (_, _, how) in worlds.VARIANTS.items() if how.get("compiled")]
    system, hyper, _ = worlds.VARIANTS[name]
    assert not list(differences(golden.kept()[name], golden.values_of(worlds.engine(system, hyper=hyper))))


def test_no_value_is_kept_for_what_is_gone():
    gone = set(golden.kept()) - set(golden.names())
    assert not gone, AGAIN


@pytest.mark.parametrize("changed", [{"lr": 2.1e-4}, {"beta1": 0.7}, {"smoothing": 0.02}, {"dropout": 0.45}])
def test_a_small_change_of_a_setting_is_seen(changed):
    assert list(differences(golden.kept()["pix2pix"], golden.values_of(worlds.engine("pix2pix", hyper=changed))))


KEPT: golden.Values = {"d": [0.5, 0.4, 0.3, 0.2, 0.1], "adv": [None, 1.0, None, 1.0, None], "way of d": [0.06] * 5}


@pytest.mark.parametrize(
    ("term", "step", "value", "line"),
    [
        ("d", 0, 0.5001, "d, step 0: 0.5 before, 0.5001 now"),
        ("d", 2, 0.304, "d, step 2: 0.3 before, 0.304 now"),
        ("way of d", 0, 0.07, "way of d, step 0: 0.06 before, 0.07 now"),
        ("d", 1, None, "d, step 1: 0.4 before, None now"),
        ("adv", 0, 1.0, "adv, step 0: None before, 1.0 now"),
    ],
)
def test_each_value_that_is_another_is_told(term, step, value, line):
    now = {name: list(values) for name, values in KEPT.items()}
    now[term][step] = value
    assert list(differences(KEPT, now)) == [line]


def test_a_term_that_one_side_alone_has_is_told():
    assert list(differences(KEPT, {**KEPT, "l1": KEPT["d"]})) == ["l1: only now"]
    assert list(differences({**KEPT, "l1": KEPT["d"]}, KEPT)) == ["l1: only before"]


def test_the_last_digits_may_differ_and_later_steps_more():
    now: golden.Values = {"d": [0.50004, 0.40004, 0.303, 0.198, 0.101], "way of d": [0.061] * 5}
    assert list(differences(KEPT, {**KEPT, **now})) == []


def test_two_sides_are_compared_variant_by_variant():
    before, now = {"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "4", "d": "5"}
    assert list(compared(before, now)) == [("b", "same"), ("c", "CHANGED"), ("d", "new"), ("a", "gone")]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an exported copy has no commits")
def test_a_commit_is_unpacked_and_a_wrong_one_is_told(tmp_path):
    unpack("HEAD", tmp_path)
    assert (tmp_path / "trainers" / "system.py").is_file()
    with pytest.raises(SystemExit, match="golden: nosuch: fatal: not a valid object name"):
        unpack("nosuch", tmp_path)


@pytest.mark.slow
def test_a_constant_that_changes_is_seen_in_the_variants_that_use_it(tmp_path):
    for folder in ("trainers", "tests/trainers"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    file = tmp_path / "trainers" / "systems" / "cyclegan.py"
    file.write_text(file.read_text().replace("scale=0.5", "scale=0.50001"))
    changed = {name for name, what in compared(digests(ROOT), digests(tmp_path)) if what == "CHANGED"}
    assert changed == {name for name, (system, _, _) in worlds.VARIANTS.items() if system == "cyclegan"}


def test_code_that_does_not_run_is_told(tmp_path, capfd):
    (tmp_path / "trainers").mkdir()
    (tmp_path / "trainers" / "__init__.py").write_text("raise ImportError('broken')")
    with pytest.raises(SystemExit, match=r"the trainings of .* failed"):
        digests(tmp_path)
    assert "broken" in capfd.readouterr().err
