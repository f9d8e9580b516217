"""What an evaluation looks at, as the sweep file says it, and which of its scores may judge a search."""

import dataclasses
import io

import pytest
from rich.console import Console

from cluster.run import Run
from orchestrator.errors import Refusal
from orchestrator.planning.data import read_data
from orchestrator.planning.objective import find_objective
from orchestrator.planning.settings import canonical_axes, preset
from orchestrator.sweep_file.sweep import read_sweep
from orchestrator.tables import table
from trainers.systems.catalog import SYSTEMS

CYC = "search: {weights.cyc: {log_uniform: [1, 30]}}\ntrials: 4\n"
MAKE = "train one with `i2i-cluster task train` and name it as task: ..."


@pytest.fixture
def judged(values):
    """judged("search: ..."): the objective of a sweep whose task network judges b, over toy with classes."""

    def find(text, task="b", **facts):
        sweep = read_sweep(values(text), "sweep.yaml")
        system = SYSTEMS[sweep.system]
        plain = dataclasses.replace(system.reads, labelled=())
        data = dataclasses.replace(
            read_data(sweep.data.uri, system, {}, reads=plain), **{"labelled": frozenset("ab"), **facts}
        )
        hyper = system.Hyper(**preset(system, sweep).hyper)
        return find_objective(system, sweep, canonical_axes(system, sweep), data, hyper, task)

    return find


def refusal(judged, text, **changes):
    with pytest.raises(Refusal) as caught:
        judged(text, **changes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            CYC + "objective: {metric: eval/task_accuracy}",
            f"eval/task_accuracy needs a task network: {MAKE}; has: eval/l1,",
        ),
        (CYC + "objective: {metric: 'eval/kid[task]'}", f"eval/kid[task] needs a task network: {MAKE}; has: eval/l1,"),
        (CYC + "objective: {metric: eval/kid}", "unknown metric 'eval/kid' for cyclegan; nearest: eval/kid[task]"),
        (
            CYC + "objective: {metric: eval/diversity}",
            "eval/diversity needs a system whose translations of one picture differ, and those of cyclegan do not; has: ",
        ),
        (
            "system: bicyclegan\ndata: {batch: 2}\nevaluation: {draws: 1}\nobjective: {metric: eval/diversity}",
            "eval/diversity compares draws, and evaluation.draws is 1; nearest: 2; has: eval/l1,",
        ),
    ],
)
def test_an_objective_that_cannot_be_computed_is_refused_with_what_is_missing(refused, text, line):
    (told,) = refused(text)
    assert told.startswith(f"sweep.yaml: objective.metric: {line}")


def test_scores_of_a_task_network_need_what_it_reads(judged):
    text = CYC + "objective: {metric: eval/task_accuracy}"
    assert (judged(text).metric, judged(text).mode) == ("eval/task_accuracy", "max")
    assert refusal(judged, text, labelled=frozenset("b")).startswith(
        "objective.metric: eval/task_accuracy needs classes of the validation pictures of domain a, and toy has none; has: "
    )
    assert refusal(judged, text, task="a").startswith(
        f"objective.metric: eval/task_accuracy needs a task network of domain b, not a: {MAKE}; has: "
    )
    text = CYC + "objective: {metric: 'eval/kid[task]'}"
    assert (judged(text, labelled=frozenset()).metric, judged(text).mode) == ("eval/kid[task]", "min")


def test_a_baseline_cannot_tell_trials_apart(judged):
    assert refusal(judged, CYC + "objective: {metric: eval/task_accuracy_input}").startswith(
        "objective.metric: eval/task_accuracy_input looks at no translation: every trial would have the same; has: eval/l1,"
    )


def test_a_network_that_a_loss_asks_cannot_judge_the_search_of_its_weight(judged):
    text = "system: balanced\nsearch: {weights.task: {log_uniform: [0.1, 10]}}\ntrials: 4\nobjective: {metric: eval/task_accuracy}"
    assert judged(text).metric == "eval/task_accuracy", "the loss asks a network that learns"
    assert refusal(judged, f"{text}\npreset: frozen").startswith(
        "objective.metric: eval/task_accuracy measures what weights.task weighs, and that is searched: the largest weight"
    )
    assert judged(f"{text}\npreset: frozen".replace("weights.task", "weights.cyc")).metric == "eval/task_accuracy"


def test_the_first_score_that_can_judge_is_shown_and_never_mere_difference(planned, judged, make_shards):
    assert planned().objective.metric == "eval/l1"
    unpaired = make_shards(paired=False)
    assert planned(f"data: {{uri: {unpaired}}}").objective.metric == "eval/cycle"
    assert planned(f"system: dcgan\ndata: {{uri: {unpaired}}}").objective.metric == "loss/adv"
    assert judged(f"system: dcgan\ndata: {{uri: {unpaired}}}").metric == "eval/kid[task]"


def test_evaluation_has_defaults_and_reaches_the_run(planned):
    assert dataclasses.asdict(planned().run(0, {}).evaluation) == {"samples": 128, "draws": 8}
    run = planned("evaluation: {samples: 2k, draws: 3}").run(0, {})
    assert dataclasses.asdict(run.evaluation) == {"samples": 2000, "draws": 3}
    assert Run.from_json(run.to_json()) == run


def test_a_checkpoint_of_before_it_was_a_choice_is_evaluated_as_it_was(planned):
    run = planned().run(0, {})
    old = run.to_json()
    del old["evaluation"]
    assert Run.from_json(old) == run


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("samples: 1", "samples: must be at least 2, not 1"),
        ("samples: auto", "samples: must be a whole number of at least 1 (such as 20_000 or 20k), not 'auto'"),
        ("draws: 0", "draws: must be a whole number of at least 1 (such as 20_000 or 20k), not 0"),
        ("draws: 101", "draws: must be at most 100, not 101"),
        ("draw: 3", "draw: unknown key 'draw'; nearest: draws"),
    ],
)
def test_what_evaluation_cannot_be(refused, text, line):
    (told,) = refused(f"evaluation: {{{text}}}")
    assert told == f"sweep.yaml: evaluation.{line}"


def test_evaluation_written_down_makes_another_sweep(planned):
    assert len({planned(text).id for text in ("", "evaluation: {samples: 128}", "evaluation: {draws: 4}")}) == 3


def test_the_brackets_of_a_metric_are_shown():
    sink = io.StringIO()
    told = table("toy: eval/kid[task], minimise", [{"eval/kid[task]": 0.5}])
    Console(file=sink, width=80).print(told)
    assert sink.getvalue().count("eval/kid[task]") == 2
