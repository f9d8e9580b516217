"""A system of the user's own: what the plan says of its file, line by line, and what `init` and `systems check` do."""

import re
import sys
from pathlib import Path

import pytest

from orchestrator import cli
from orchestrator.errors import Refusal
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.draft import load_draft, read_draft
from orchestrator.systems.scaffold import TEMPLATE, scaffold
from tests.orchestrator.tasks import data_of
from trainers.conformance import PROMISES
from trainers.systems.catalog import SYSTEMS

CODE = TEMPLATE.read_text(encoding="utf-8")
TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "own-system.md"
COUNTING = """

class Counting(ResnetGenerator):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * (1 + self.calls / 100)
"""
SWEEP = """
system: {system}
data: {{uri: {uri}, image: 32, batch: 4, replicas: 2}}
steps: 10
storage: {storage}
{more}"""


@pytest.fixture
def planned(tmp_path):
    """planned(code, system=..., more=...): the plan of a sweep whose file lies beside the code's."""
    uri = data_of(tmp_path / "pictures", (), a=3, b=3)

    def plan(code: str | None = CODE, system: str = "my_gan.py:MyGAN", more: str = "") -> Plan:
        if code is not None:
            (tmp_path / "my_gan.py").write_text(code, encoding="utf-8")
        file = tmp_path / "sweep.yaml"
        file.write_text(SWEEP.format(system=system, uri=uri, storage=tmp_path / "runs", more=more), encoding="utf-8")
        return make_plan(load_draft(file), "sweep.yaml", machine=Machine(cpus=2, gpus=0))

    return plan


def changed(old: str, new: str) -> str:
    """The template with something else in it."""
    assert CODE.count(old) == 1, old
    return CODE.replace(old, new)


def line_of(code: str, text: str) -> int:
    return next(number for number, line in enumerate(code.splitlines(), 1) if text in line)


def test_it_is_planned_as_any_other_and_its_text_goes_with_it(planned):
    plan = planned(
        more="search: {weights.keep: {log_uniform: [1, 50]}}\nobjective: {metric: loss/adv, mode: min}\ntrials: 2"
    )
    run = plan.run(1, plan.params(1))
    assert (run.system, run.code) == ("my_gan.py:MyGAN", CODE)
    assert run.weights["keep"] == plan.params(1)["weights.keep"] and run.hyper["width"] == 16
    assert plan.system.name == "mygan" and plan.system.title == "MyGAN"
    assert planned(CODE, "my_gan.py").system.name == "mygan", "the one system of a file need not be named"


def test_its_text_is_a_part_of_the_sweep_s_identity_and_the_folder_is_not(planned, tmp_path):
    first = planned()
    assert planned().id == first.id
    assert planned(changed("5.0,", "6.0,")).id != first.id
    again = make_plan(
        load_draft(tmp_path / "sweep.yaml", {"code": CODE}), "sweep.yaml", machine=Machine(cpus=2, gpus=0)
    )
    (tmp_path / "my_gan.py").unlink()
    assert again.id == first.id, "who has the text needs no file"


MOVED = "yield Move((made, self.generator))"
BROKEN = [
    (None, "my_gan.py:MyGAN", r"system: .*my_gan\.py cannot be read: no such file or directory"),
    ("class X(:\n", "my_gan.py:MyGAN", r"system: my_gan\.py:1: SyntaxError: invalid syntax"),
    ("import nothing_such\n", "my_gan.py:MyGAN", r"system: my_gan\.py:1: ModuleNotFoundError: No module named 'nothing_such'"),
    ("import sys\nsys.exit(3)\n", "my_gan.py:MyGAN", r"system: my_gan\.py:2: SystemExit: 3"),
    ("x = 1\n", "my_gan.py:MyGAN", r"my_gan\.py has no system MyGAN; it has: none, no class is a System"),
    (CODE, "my_gan.py:MyGUN", r"my_gan\.py has no system MyGUN; it has: MyGAN"),
    (CODE + "\n\nclass Other(MyGAN):\n    pass\n", "my_gan.py", r"holds several, MyGAN, Other: name one, as my_gan\.py:MyGAN"),
    (changed('    shows = ("fake_b",)\n', ""), "my_gan.py:MyGAN", r"my_gan\.py: MyGAN lacks shows"),
    (changed("def step(self", "def stop(self"), "my_gan.py:MyGAN", r"my_gan\.py: MyGAN lacks step\(\)"),
    (changed('Term("d", ', 'Term("adv", '), "my_gan.py:MyGAN", r"my_gan\.py: MyGAN\.terms has adv twice"),
    (changed("    width: int = setting(", "    narrow: int = 3\n    width: int = setting("), "my_gan.py:MyGAN",
     r"my_gan\.py: MyGAN\.Hyper: narrow must be made by setting"),
    (changed("self.critic = Player", "self.critik = Player"), "my_gan.py:MyGAN",
     r"my_gan\.py:\d+: in build: AttributeError: 'MyGAN' object has no attribute 'critic'"),
    (changed("(self.generator, self.critic)", "(self.generator,)"), "my_gan.py:MyGAN",
     r"my_gan\.py: no player owns d\.\S+ and \d+ others; a network that nobody moves belongs into self\.frozen"),
    (changed('Player("critic", (self.d,)', 'Player("critic", (self.d, self.ab)'), "my_gan.py:MyGAN",
     r"my_gan\.py: players generator and critic share a parameter"),
    (changed("keep=(", "kept=("), "my_gan.py:MyGAN", r"my_gan\.py:\d+: in step: 'kept' is not known: is it a term in force"),
    (changed("            keep=(avg_pool2d(fake_b, 4) - avg_pool2d(a, 4)).abs().mean(),\n", ""), "my_gan.py:MyGAN",
     r"my_gan\.py: step weighs no keep, declared in terms"),
    (changed(MOVED, "yield made"), "my_gan.py:MyGAN", r"yield 1 of step gives Weighed: a move is Move\("),
    (changed(MOVED, "yield Move((made, self.critic))"), "my_gan.py:MyGAN", r"no move of step names generator"),
    (changed('{"fake_b": self.ab', '{"fake_c": self.ab'), "my_gan.py:MyGAN", r"show gives fake_c, not declared in shows"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "system", "line"), BROKEN, ids=[re.sub(r"\W+", "-", line)[-40:] for _, _, line in BROKEN]
)
def test_what_is_wrong_with_it_is_told_in_one_line_with_its_place(planned, code, system, line):
    with pytest.raises(Refusal) as caught:
        planned(code, system)
    assert re.search(line, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_is_named_that_is_the_user_s_own(planned):
    code = changed("a, b = replica.draw", "a, b = replica.drew")
    with pytest.raises(Refusal) as caught:
        planned(code)
    assert f"my_gan.py:{line_of(code, 'replica.drew')}: in step: AttributeError" in str(caught.value)


def test_text_without_a_file_s_name_is_refused(planned):
    values = {"system": "cyclegan", "code": "x = 1", "data": {"uri": "x", "image": 32}, "steps": 1}
    with pytest.raises(Refusal, match=r"code: the text of a file belongs to a system FILE\.py:CLASS"):
        make_plan(read_draft(values), "sweep.yaml", machine=Machine(cpus=2, gpus=0))


def test_a_sweep_file_brings_no_code_of_its_own(planned, tmp_path):
    with pytest.raises(Refusal, match="code: it is read from the file that `system` names; leave it out"):
        planned(more="code: \"open('ran', 'w')\"")
    assert not (tmp_path / "ran").exists() and not Path("ran").exists()


def run_cli(monkeypatch, capsys, *words):
    """Exit code, what it says and what it prints."""
    monkeypatch.setattr(sys, "argv", ["i2i-cluster", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, *capsys.readouterr()


def test_check_tells_each_promise_and_which_is_broken(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cluster.conformance.WORKERS", PROMISES[0])  # no processes here
    monkeypatch.setattr("cluster.conformance.check.__defaults__", (PROMISES,))
    Path("my_gan.py").write_text(CODE, encoding="utf-8")
    code, out, err = run_cli(monkeypatch, capsys, "systems", "check", "my_gan.py", "--set", "width=4")
    assert code == 0 and (out + err).count("kept") == len(PROMISES)
    forgetful = changed(
        "        a, b = replica.draw", "        self.seen = getattr(self, 'seen', 0) + 1\n        a, b = replica.draw"
    )
    forgetful = forgetful.replace("- avg_pool2d(a, 4)).abs().mean()", "- avg_pool2d(a, 4)).abs().mean() * self.seen")
    Path("my_gan.py").write_text(forgetful, encoding="utf-8")
    code, out, err = run_cli(monkeypatch, capsys, "systems", "check", "my_gan.py", "--set", "width=4")
    assert code == 1
    assert (
        "broken  saved, loaded and gone on: the same bits: a training that was saved and loaded goes on with other"
        in out + err
    )
    (precise,) = [promise for promise in PROMISES if promise.name == "precision"]
    monkeypatch.setattr("cluster.conformance.check.__defaults__", ((precise,),))
    coarse = changed("- avg_pool2d(a, 4)).abs().mean()", "- avg_pool2d(a, 4)).bfloat16().abs().mean()")
    Path("my_gan.py").write_text(coarse, encoding="utf-8")
    code, out, err = run_cli(monkeypatch, capsys, "systems", "check", "my_gan.py", "--set", "width=4")
    assert code == 1 and "under precision bf16 keep is made in torch.bfloat16: take x.float() where" in out + err
    (again,) = [promise for promise in PROMISES if promise.name == "recomputing"]
    monkeypatch.setattr("cluster.conformance.check.__defaults__", ((again,),))
    counting = changed("self.ab = ResnetGenerator(", "self.ab = Counting(") + COUNTING
    Path("my_gan.py").write_text(counting, encoding="utf-8")
    code, out, err = run_cli(monkeypatch, capsys, "systems", "check", "my_gan.py", "--set", "width=4")
    assert code == 1 and "comes to other bits: does a network count its calls?" in out + err
    Path("empty.py").write_text("print('talks')", encoding="utf-8")
    assert run_cli(monkeypatch, capsys, "systems", "check", "empty.py")[1] == "", "what programs read is ours alone"
    Path("empty.py").write_text("", encoding="utf-8")
    for words, line in (
        (["systems", "check"], "FILE: name what to check"),
        (["systems", "check", "none.py"], "none.py cannot be read"),
        (["systems", "check", "my_gan.py", "--set", "width"], "--set: give NAME=VALUE"),
        (["systems", "check", "my_gan.py", "--set", "wdth=4"], "--set.wdth: unknown setting 'wdth'; nearest: width"),
        (
            ["systems", "check", "my_gan.py", "--image", "30"],
            "error: --image: the resnet generator needs a multiple of 4",
        ),
        (["systems", "check", "empty.py"], "system: empty.py holds none: no class is a System"),
    ):
        code, out, err = run_cli(monkeypatch, capsys, *words)
        assert code == 2 and line in err, err


@pytest.mark.parametrize("system", [None, *SYSTEMS])
def test_what_init_writes_is_a_sweep_without_a_mistake(system, tmp_path):
    files = scaffold(system, tmp_path)
    file = next(file for file in files if file.suffix == ".yaml")
    draft = load_draft(file)
    assert not draft.found and draft.sweep.system in (system, "my_gan.py:MyGAN")
    assert draft.sweep.search and draft.sweep.objective
    stages = [] if system is None else [term.name for term in SYSTEMS[system].terms if term.stage]
    assert not [name for name in stages if f"weights.{name}" in draft.sweep.search], "each value would train it anew"
    with pytest.raises(Refusal, match="it is there already; init overwrites nothing"):
        scaffold(system, tmp_path)


def test_what_init_writes_says_what_has_to_be_there_first(tmp_path):
    texts, reader = (scaffold(name, tmp_path)[0].read_text(encoding="utf-8") for name in ("stackgan", "dtn"))
    assert "shards build openmoji shards/captioned --size 128 --texts" in texts and "image: 128\n" in texts
    assert '{metric: "eval/text_match", mode: max}' in texts, "no task network is asked for"
    assert "i2i-cluster task train --data shards/digits --domain b\n" in reader and "\ntask: task-digits-b " in reader
    assert "eval/l1" not in reader, "digits have no truth"


def test_the_tutorial_shows_the_code_that_init_writes():
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        assert block.strip("\n") in CODE, block
    assert "".join(block for block in blocks).count("\n") >= 39
