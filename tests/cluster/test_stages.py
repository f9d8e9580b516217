"""Stages: trained once, shared, the same bits however often and wherever they were interrupted."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest

from cluster import stages
from cluster.estimate import Estimate
from cluster.log.lease import leased
from cluster.report import Place
from cluster.run import Every, Run
from cluster.stages import NotAStage, is_there, parts_of, read_stage
from cluster.training import train
from data_shards.store import open_store
from orchestrator.errors import Refusal
from orchestrator.planning.estimating import describe_estimate, estimate_text
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.sizes import Machine
from orchestrator.sweep_file.sweep import read_sweep
from tests.cluster.test_training import Told, digest, trained
from tests.trainers.processes import CONTEXT, Processes

FIRST, STEPS = 6, 4
HYPER = {
    "width": 4,
    "blocks": 2,
    "critic": "patch16",
    "critic_width": 4,
    "pool": 6,
    "first_steps": FIRST,
    "first_batch": 4,
}

WITHOUT_BATCH = {name: value for name, value in HYPER.items() if name != "first_batch"}


def plan(shards, tmp_path, **changed) -> Plan:
    values = {
        "system": "ost",
        "data": {"uri": shards, "image": 32, "batch": 2, "replicas": 2, "limit": {"a": 1}},
        "steps": STEPS,
        "hyper": HYPER,
        "every": {"report": 1, "evaluate": 2, "checkpoint": 2},
        "storage": str(tmp_path / "runs"),
        **changed,
    }
    return make_plan(read_sweep(values, "sweep.yaml"), "sweep.yaml", machine=Machine(cpus=2, gpus=0))


@pytest.fixture
def run(shards, tmp_path) -> Run:
    made = plan(shards, tmp_path)
    return made.run(0, made.params(0))


@pytest.fixture
def store(run):
    return open_store(run.storage)


@pytest.fixture
def undisturbed(run, tmp_path) -> str:
    """The digest of the run in the end, and of its stage in a storage of its own."""
    calm = replace(run, storage=str(tmp_path / "calm"))
    trained(calm, Told())
    return digest(calm)


def test_a_stage_comes_first_and_is_trained_once(run, store):
    told = trained(run, Told())
    (part,) = parts_of(run)
    assert told.last.outcome == "done" and is_there(store, part)
    assert any(notice.startswith(f"stage first: step {FIRST} of {FIRST}; adv_first") for notice in told.notices)
    assert store.list(f"{part.paths.grid(0, 1).rpartition('/')[0]}/"), "its pictures stay"
    assert not [path for path in store.list(f"{part.paths.checkpoints(0)}/") if path.endswith("safetensors")]
    again = trained(replace(run, trial=1), Told())
    assert again.last.outcome == "done" and not again.notices
    assert digest(replace(run, trial=1)) == digest(run)


def test_its_place_hangs_on_what_it_uses_alone(run):
    (part,) = parts_of(run)
    other_weights = {**run.weights, "cyc_one": 3.0, "adv": 0.5}
    same = (
        replace(run, weights=other_weights),
        replace(run, hyper={**run.hyper, "cycle": "none", "rotation": 90.0}),
        replace(run, steps=99, trial=5, workers=2, sweep="other", every=Every(1, 1, 1)),
        replace(run, data=replace(run.data, limit={"a": 2}, batch=8, uri="elsewhere")),
    )
    assert {p.id for one in same for p in parts_of(one)} == {part.id}
    others = (
        replace(run, weights={**run.weights, "kl_first": 0.2}),
        replace(run, hyper={**run.hyper, "width": 8}),
        replace(run, hyper={**run.hyper, "first_steps": FIRST + 1}),
        replace(run, seed=1),
        replace(run, data=replace(run.data, limit={"a": 1, "b": 4})),
        replace(run, data=replace(run.data, manifest="0" * 64)),
    )
    assert len({part.id, *(p.id for one in others for p in parts_of(one))}) == 1 + len(others)
    assert parts_of(replace(run, compile=True))[0].id != part.id
    assert parts_of(replace(run, hyper={**run.hyper, "first_steps": 0})) == []


def test_the_second_phase_begins_where_the_first_ended(run, store, monkeypatch):
    from cluster.building import build_engine
    from cluster.data import open_data

    trained(run, Told())
    (part,) = parts_of(run)
    weights = read_stage(store, part)
    data = open_data(run)
    with data.stream(0, 1) as stream:
        engine = build_engine(run, data.shapes(), stream, Place())
        engine.enter({"first": weights})
    begun = dict(engine.system.named_parameters())
    assert all((begun[name] == value).all() for name, value in weights.items())
    own = {name.removeprefix("own_many.") for name in weights if name.startswith("own_many.")}
    assert own and all((begun[f"own_one.{name}"] == weights[f"own_many.{name}"]).all() for name in own)


def _on_workers(pipe, rank, workers, run: Run, attempt: int, end: int) -> None:
    told = Told(end)
    train(run, Place(rank, workers, attempt=attempt), told, told.asked)
    pipe.send(told.last.outcome if rank == 0 else "")


def test_on_two_workers_and_then_on_one_the_bits_are_the_same(run, undisturbed):
    both = replace(run, workers=2)
    with Processes(_on_workers, 2, both, 0, 1) as group:
        assert group.answers()[0] == "interrupted"
    trained(run, Told(), attempt=1)
    assert digest(run) == undisturbed
    again = replace(both, trial=1)
    with Processes(_on_workers, 2, again, 0, 10**9) as group:
        assert group.answers()[0] == "done"
    assert digest(again) == undisturbed


class _Killed:
    """Kills its process at a beat."""

    def __init__(self, step: int, stage: bool) -> None:
        self.step, self.stage = step, stage

    def __call__(self, step: int, doing: str) -> None:
        if step == self.step and doing == ("training (stage first)" if self.stage else "training"):
            os.kill(os.getpid(), signal.SIGKILL)


def _killed(run: Run, attempt: int, step: int, stage: bool) -> None:
    told = Told()
    train(run, Place(attempt=attempt), told, told.asked, _Killed(step, stage))


def test_kill_9_in_the_first_phase_at_the_border_and_in_the_second_gives_the_same_bits(run, undisturbed):
    moments = [(1, True), (4, True), (1, False), (4, False)]  # a step, and whether it is one of the stage
    for attempt, moment in enumerate(moments):
        process = CONTEXT.Process(target=_killed, args=(run, attempt, *moment))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    trained(run, Told(), attempt=len(moments))
    assert digest(run) == undisturbed


def test_asked_to_end_within_a_stage_it_saves_and_goes_on_there(run, undisturbed, store):
    class Asked(Told):
        """Is asked to end once the stage has told something."""

        def asked(self):
            return "interrupted" if self.notices else None

    told = trained(run, Asked())
    assert told.last.outcome == "interrupted" and told.last.step == 0
    (part,) = parts_of(run)
    assert not is_there(store, part)
    trained(run, Told(), attempt=1)
    assert digest(run) == undisturbed


def test_two_that_need_it_at_once_train_it_once(run, monkeypatch):
    begun = []
    honest = stages.Preparation._trained

    def counted(self, *words):
        begun.append(self.run.trial)
        return honest(self, *words)

    monkeypatch.setattr(stages.Preparation, "_trained", counted)
    monkeypatch.setattr(stages, "LOOK_S", 0.05)
    part = parts_of(run)[0]
    with ExitStack() as held, ThreadPoolExecutor(1) as pool:
        held.enter_context(leased(open_store(run.storage), part.claims))
        told = Told()
        waiting = pool.submit(trained, run, told)
        while not told.notices:
            assert not waiting.done()
        assert told.notices == ["waiting for stage first, which another trial trains"] and not begun
        held.close()
        waiting.result()
    trained(replace(run, trial=1), Told())
    assert begun == [0]


@pytest.fixture
def made(run, store) -> Iterator[tuple[str, str]]:
    """A stage that is there: its folder and its id."""
    trained(run, Told())
    part = parts_of(run)[0]
    yield part.paths.best, part.id


def test_a_damaged_stage_is_refused_by_the_plan_and_by_the_run(run, store, made, shards, tmp_path):
    best, digits = made
    raw = bytearray(store.read(f"{best}/model.safetensors"))
    raw[-1] ^= 1
    store.write(f"{best}/model.safetensors", bytes(raw))
    mend = f"stage first: {best} in {store.uri} is damaged; delete {store.uri}/stages/{digits} to have it trained again"
    with pytest.raises(NotAStage) as caught:
        trained(replace(run, trial=1), Told())
    assert str(caught.value) == mend
    with pytest.raises(Refusal) as refused:
        plan(shards, tmp_path)
    assert mend in str(refused.value)


def test_a_stage_of_other_settings_is_refused(run, store, made):
    best, _ = made
    written = store.read(f"{best}/model.json")
    store.write(f"{best}/model.json", (before := written.replace(b'"compile": false,', b"")))
    assert before != written and read_stage(store, parts_of(run)[0]), "from before there was such a setting"
    card = written.replace(b'"width": 4', b'"width": 8')
    store.write(f"{best}/model.json", card)
    with pytest.raises(NotAStage, match=rf"stage first: {best} was trained with another hyper; delete"):
        read_stage(store, parts_of(run)[0])
    store.write(f"{best}/model.json", card.replace(b'"layout"', b'"lay"'))
    with pytest.raises(NotAStage, match=rf"stage first: {best} in .* is damaged; delete"):
        read_stage(store, parts_of(run)[0])
    store.delete(f"{best}/model.safetensors")
    with pytest.raises(NotAStage, match=rf"stage first: {best} in .* is damaged; delete"):
        read_stage(store, parts_of(run)[0])


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"data": {"image": 32, "batch": 2, "replicas": 2}},
            "data.limit.a: this system learns from one picture of a, and source has",
        ),
        (
            {"data": {"image": 32, "batch": 2, "replicas": 2, "limit": {"a": 2}}},
            "data.limit.a: this system learns from one picture of a, and source has 2 to train on; data.limit: {a: 1} takes",
        ),
        ({"data": {"image": 32, "batch": 2, "replicas": 2, "limit": {"a": 0}}}, "data.limit.a"),
        ({"hyper": {**HYPER, "first_batch": 3}}, "hyper.first_batch: a batch of 3 cannot be shared by 2 replicas"),
    ],
)
def test_what_a_stage_cannot_be_trained_with_is_refused(shards, tmp_path, changed, line):
    changed = {key: {**value, "uri": shards} if key == "data" else value for key, value in changed.items()}
    with pytest.raises(Refusal) as refused:
        plan(shards, tmp_path, **changed)
    assert line in str(refused.value)


def test_the_plan_tells_what_comes_first_and_who_shares_it(shards, tmp_path):
    asked = {"trials": 3, "objective": {"metric": "eval/cycle", "mode": "min"}}
    shared = plan(shards, tmp_path, search={"weights.adv": {"uniform": [0.5, 2]}}, **asked)
    text = "before it comes stage first: phase I, an autoencoder of the domain with many pictures, 6 steps; "
    assert text + "trained once, and shared by all trials of one seed, of later sweeps too" in shared.notes
    own = plan(shards, tmp_path, search={"weights.kl_first": {"uniform": [0.05, 0.2]}}, **asked)
    assert text + "trained anew for each weights.kl_first" in own.notes
    none = plan(
        shards,
        tmp_path,
        hyper={**HYPER, "first_steps": 0},
        search={"weights.kl_first": {"uniform": [0.05, 0.2]}},
        **asked,
    )
    assert "weights.kl_first acts on nothing: there is no stage first" in none.notes


def test_a_stage_of_a_searched_batch_is_refused_too_and_no_estimate_hides_it(shards, tmp_path):
    asked = {"trials": 3, "objective": {"metric": "eval/cycle", "mode": "min"}}
    with pytest.raises(Refusal) as refused:
        plan(shards, tmp_path, search={"hyper.first_batch": {"choice": [4, 7]}}, hyper=WITHOUT_BATCH, **asked)
    assert "search.hyper.first_batch: a batch of 7 cannot be shared by 2 replicas" in str(refused.value)
    with pytest.raises(
        Refusal, match=r"hyper\.first_batch: a batch of 6000 is more than the \d+ training samples of b"
    ):
        plan(shards, tmp_path, hyper={**HYPER, "first_batch": 6000})
    made = plan(shards, tmp_path)
    told = describe_estimate(made, Estimate(0.5, 10**6, 10**6))
    assert told["stages"] == {"first": FIRST} and f"without the {FIRST} steps of stage first" in estimate_text(told)
