"""Which scores there can be, and what is told where one cannot."""

import dataclasses
from pathlib import Path

import pytest

from tests.trainers.judging import PAIRS
from trainers.score_list import SCORES, in_network
from trainers.scores import available, everything, lacking, scores_of
from trainers.systems.catalog import SYSTEMS

PIXELS = {"eval/l1", "eval/psnr", "eval/ssim"}
BACK = {f"{metric}_ba" for metric in PIXELS}
FEATURES = {"eval/kid[task]", "eval/kid_spread[task]", "eval/fid[task]", "eval/style"}
LOGITS = {"eval/is[task]", "eval/mode_coverage", "eval/mode_kl"}
FCN = {"eval/pixel_accuracy", "eval/class_accuracy", "eval/class_iou"}
TURNED = {"eval/angle_error", "eval/angle_spread"}
OF_INPUTS = {"eval/content", "eval/cosine", "eval/separation"}
UNLABELLED = FEATURES | LOGITS | OF_INPUTS
INPUTS = {"eval/task_accuracy_input", "eval/angle_error_input"}
TASK = {"eval/task_accuracy"} | INPUTS | FCN | TURNED | UNLABELLED
TRUE = {"eval/nearest_truth", "eval/retrieval"}
CYCLE = {"eval/cycle", "eval/identity"}
DIVERSITY = {"eval/diversity", "eval/diversity[task]"}


def given(name, **changes):
    return dataclasses.replace(everything(SYSTEMS[name]), data="toy", **changes)


def metrics(name, **changes):
    return {score.metric for score in available(SYSTEMS[name], given(name, **changes))}


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("cyclegan", PIXELS | BACK | TASK | CYCLE | TRUE | PAIRS),
        ("pix2pix", PIXELS | TASK | DIVERSITY | TRUE | PAIRS),
        ("bicyclegan", PIXELS | TASK | DIVERSITY | TRUE | PAIRS),
        ("dcgan", FEATURES | LOGITS | DIVERSITY | {"eval/collapse"}),
        ("classifier", {"eval/accuracy"}),
        ("segmenter", {"eval/accuracy", "eval/miou"}),
        ("regressor", {"eval/angle_error"}),
    ],
)
def test_what_a_system_can_have_where_nothing_is_wanting(name, scores):
    assert metrics(name) == scores


def test_what_is_wanting_takes_its_scores_with_it():
    assert metrics("bicyclegan", truth=False) == TASK | DIVERSITY | PAIRS
    assert metrics("bicyclegan", task="") == PIXELS | PAIRS | {"eval/nearest_truth", "eval/diversity"}
    assert metrics("bicyclegan", labelled=frozenset("b"), truth=False) == UNLABELLED | DIVERSITY | PAIRS
    assert metrics("bicyclegan", draws=1, truth=False) == TASK | PAIRS
    grey = metrics("bicyclegan", channels={"a": 1, "b": 3}, truth=False)
    assert grey == (TASK - INPUTS - OF_INPUTS) | DIVERSITY | PAIRS
    assert LOGITS & metrics("bicyclegan", kinds=frozenset({"pixels"})) == set()
    assert (FCN | TURNED) & metrics("bicyclegan", kinds=frozenset({"logits"})) == set()
    read = metrics("bicyclegan", kinds=frozenset({"angles"}), truth=False)
    assert read == TURNED | {"eval/angle_error_input"} | FEATURES | OF_INPUTS | DIVERSITY | PAIRS
    assert metrics("bicyclegan", counts={"a": 9, "b": 0}) == set()
    assert "eval/kid[task]" not in metrics("bicyclegan", counts={"a": 9, "b": 1})
    assert "eval/kid[task]" in metrics("bicyclegan", counts={"a": None, "b": 2})


def test_another_network_has_scores_of_its_own_and_is_the_one_that_is_asked():
    net = {"task": "", "features": "net", "truth": True}
    mine = {
        "eval/kid[net]",
        "eval/kid_spread[net]",
        "eval/fid[net]",
        "eval/diversity[net]",
        "eval/retrieval",
        "eval/cosine",
    }
    some = {"features", "lpips"}
    assert metrics("bicyclegan", gives=frozenset(some), **net) == (
        PIXELS | PAIRS | {"eval/nearest_truth", "eval/diversity"} | mine | {"eval/separation", "eval/lpips[net]"}
    )
    both = metrics("bicyclegan", features="net", gives=frozenset(some))
    assert {"eval/kid[task]", "eval/kid[net]"} <= both
    assert "eval/content" not in both, "the network that was named is asked for all that has no name in it"
    score = scores_of(SYSTEMS["bicyclegan"], SYSTEMS["bicyclegan"].reads, "net")["eval/is[net]"]
    assert lacking(score, SYSTEMS["bicyclegan"], given("bicyclegan", gives=frozenset(some), **net)) == (
        "needs classes of pictures, and net has features, learned perceptual distances"
    )


@pytest.mark.parametrize(
    ("metric", "changes", "text"),
    [
        (
            "eval/task_accuracy",
            {"task": ""},
            "needs a task network: train one with `i2i-cluster task train` and name it as task: ...",
        ),
        (
            "eval/kid[task]",
            {"task": "a"},
            "needs a task network of domain b, not a: train one with `i2i-cluster task train` and name it as task: ...",
        ),
        (
            "eval/task_accuracy",
            {"labelled": frozenset("b")},
            "needs classes of the validation pictures of domain a, and toy has none",
        ),
        (
            "eval/task_accuracy",
            {"labelled": frozenset("b"), "label_maps": True},
            "needs label maps of the validation pictures of domain a, and toy has none",
        ),
        (
            "eval/task_accuracy_input",
            {"channels": {"a": 1, "b": 3}},
            "shows pictures of domain a to a network for b, and they have 1 and 3 channels",
        ),
        (
            "eval/nearest_truth",
            {"truth": False},
            "needs the true counterpart of each validation picture, and toy has none",
        ),
        (
            "eval/kid[task]",
            {"counts": {"a": 1, "b": 1}},
            "needs at least 2 validation pictures, and toy has 1 of domain a; make or index it again with a larger "
            "--validation",
        ),
        (
            "eval/l1",
            {"counts": {"a": 3, "b": 0}},
            "needs validation pictures, and toy has none of domain b; make or index it again with a larger --validation",
        ),
        ("eval/diversity", {"draws": 1}, "compares draws, and evaluation.draws is 1; nearest: 2"),
        ("eval/diversity", {}, ""),
        (
            "eval/content",
            {"task": ""},
            "needs a network that looks at pictures of domain b: name one as evaluation.features, or train one with "
            "`i2i-cluster task train` and name it as task: ...",
        ),
        (
            "eval/is[task]",
            {"kinds": frozenset({"pixels"})},
            "needs classes of pictures, and the task network has features, maps of features, classes of pixels",
        ),
        (
            "eval/task_accuracy",
            {"kinds": frozenset({"angles"})},
            "needs classes of pictures or of pixels, and the task network has features, maps of features, angles",
        ),
        (
            "eval/angle_spread",
            {"kinds": frozenset({"logits"})},
            "needs angles, and the task network has features, classes of pictures, maps of features",
        ),
        (
            "eval/cosine",
            {"channels": {"a": 1, "b": 3}},
            "shows pictures of domain a to a network for b, and they have 1 and 3 channels",
        ),
    ],
)
def test_what_a_score_lacks_is_told(metric, changes, text):
    assert lacking(SCORES[metric], SYSTEMS["bicyclegan"], given("bicyclegan", **changes)) == text


def test_a_system_that_translates_in_one_way_has_no_diversity():
    score = scores_of(SYSTEMS["cyclegan"], SYSTEMS["cyclegan"].reads)["eval/diversity"]
    assert lacking(score, SYSTEMS["cyclegan"], given("cyclegan")) == (
        "needs a system whose translations of one picture differ, and those of cyclegan do not"
    )


def test_noise_makes_pix2pix_vary():
    kind = SYSTEMS["pix2pix"]
    assert [kind.varies(kind.Hyper(**hyper)) for hyper in ({}, kind.presets["noise"].hyper)] == [False, True]


def test_every_score_says_which_way_is_better():
    assert all(metric == f"eval/{score.name}" and score.mode in ("min", "max") for metric, score in SCORES.items())


def test_every_score_is_explained():
    text = (Path(__file__).parents[2] / "docs/scores.md").read_text()
    missing = [
        score.name for score in SCORES.values() if f"{score.name.partition('[')[0]}`" not in text.replace("[NAME]", "")
    ]
    assert not missing
    assert in_network(SCORES["eval/is[task]"], "net").meaning.startswith(
        "inception score: how surely net reads classes in"
    )
