"""Scores by a task network, by several draws, and by the system itself: each by hand, and exact on any number of workers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trainers.judging import Flat, PixelThirds, Thirds, grey, tiny_module
from tests.trainers.processes import Processes
from tests.trainers.worlds import BATCH, IMAGE, engine, label_map, state_digest
from trainers.evaluation import How, evaluate
from trainers.kid import kid
from trainers.measures import angle, spread
from trainers.samples import CHUNK
from trainers.tree import Tree

TASK = How(draws=2, task=Thirds())
PIXELS = How(draws=2, task=PixelThirds(), pixel_classes=3)
COUNT = 2 * CHUNK + 3  # three chunks: of four workers one has none


def scored(of, samples, how, show=None):
    if show:
        of.system.show = show
    return {metric: score for metric, score in evaluate(of, samples, how)[0].items() if metric.startswith("eval/")}


def test_the_share_of_outputs_that_are_read_as_their_source():
    # The inputs are read as 0, 1, 2, 0, and the outputs, their negatives, as 2, 1, 0, 2.
    samples = Flat({"a": [0, 128, 255, 0], "b": [0] * 4}, labels={"a": [0, 1, 0, -1]})
    scores = scored(engine("cyclegan"), samples, TASK, lambda images: {"fake_b": -images["a"]})
    assert scores["eval/task_accuracy"] == pytest.approx(2 / 3), "the last one has no class"
    assert scores["eval/task_accuracy_input"] == pytest.approx(2 / 3)
    samples = Flat({"a": [0, 0, 255], "b": [0] * 3}, labels={"a": [2, 2, 2]})
    scores = scored(engine("cyclegan"), samples, TASK, lambda images: {"fake_b": -images["a"]})
    assert scores["eval/task_accuracy"] == pytest.approx(2 / 3)
    assert scores["eval/task_accuracy_input"] == pytest.approx(1 / 3)


def test_a_task_network_sees_what_would_be_saved():
    samples = Flat({"a": [0], "b": [0]}, labels={"a": [0]}, count=1)
    seen = []

    class Watching(Thirds):
        def forward(self, x):
            seen.append(x)
            return super().forward(x)

    scored(engine("cyclegan"), samples, How(task=Watching()), lambda images: {"fake_b": grey(100.4, 1)})
    assert any(torch.equal(one, grey(100, 1)) for one in seen)


def test_without_classes_there_is_no_accuracy_and_without_a_task_network_nothing_of_it():
    samples = Flat({"a": [0, 9], "b": [0, 9]}, labels={"b": [0, 1]})
    found = set(scored(engine("cyclegan"), samples, TASK))
    assert "eval/kid[task]" in found and not any("accuracy" in metric for metric in found)
    samples = Flat({"a": [0, 9], "b": [0, 9]}, labels={"a": [0, 1]})
    assert set(scored(engine("cyclegan"), samples, How())) == {
        "eval/cycle",
        "eval/identity",
        "eval/samples",
        "eval/collapse",
    }


def test_the_share_of_pixels_that_are_read_as_the_label_map_of_their_source_says():
    corner, middle = np.zeros((IMAGE, IMAGE), np.uint8), np.full((IMAGE, IMAGE), 128, np.uint8)
    corner[: IMAGE // 2, : IMAGE // 2] = 255
    # The inputs are read as 0, 2, 0, 1 in every pixel, and the outputs, their negatives, as 2, 0, 2, 1.
    samples = Flat({"a": [0, 255, 0, 128], "b": [0] * 4}, label_maps={"a": [corner, None, corner, middle]})
    scores = scored(engine("cyclegan"), samples, PIXELS, lambda images: {"fake_b": -images["a"]})
    assert scores["eval/task_accuracy"] == (0.25 + 0.25 + 1) / 3, "one of them has no label map"
    assert scores["eval/task_accuracy_input"] == (0.75 + 0.75 + 1) / 3
    assert (
        scores["eval/kid[task]"]
        == scored(engine("cyclegan"), samples, TASK, lambda images: {"fake_b": -images["a"]})["eval/kid[task]"]
    )


def test_without_label_maps_of_the_sources_a_segmenter_has_its_features_alone():
    samples = Flat(
        {"a": [0, 9], "b": [0, 9]}, labels={"a": [0, 1]}, label_maps={"b": [np.zeros((IMAGE, IMAGE), np.uint8)] * 2}
    )
    found = scored(engine("cyclegan"), samples, PIXELS)
    assert {metric for metric in found if "task" in metric} == {"eval/kid[task]", "eval/fid[task]"}
    assert not any("accuracy" in metric for metric in found)


def test_the_kernel_distance_is_of_all_outputs_and_all_real_pictures():
    levels = {"a": list(range(0, 10 * COUNT, 10)), "b": list(range(100, 100 + 7 * (CHUNK + 1), 7))}
    scores = scored(engine("cyclegan"), Flat(levels), TASK, lambda images: {"fake_b": -images["a"]} if images else {})
    fake = torch.cat([Thirds().features(grey(255 - level, 1)) for level in levels["a"]])
    real = torch.cat([Thirds().features(grey(level, 1)) for level in levels["b"]])
    assert scores["eval/kid[task]"] == pytest.approx(kid(fake, real), rel=1e-5)
    assert scores["eval/samples"] == COUNT


def test_a_perfect_translation_is_at_no_kernel_distance():
    samples = Flat({"a": [0, 30, 60], "b": [255, 10, 99]}, truth=True)
    scores = scored(engine("pix2pix"), samples, TASK, lambda images: {"fake_b": images["b"]})
    assert scores["eval/kid[task]"] == 0.0


def test_every_truth_must_be_near_some_draw():
    # Inputs 0 and 2 are one: its truths are 0, 2, and a picture that is not evaluated otherwise.
    samples = Flat(
        {"a": [7, 8, 7], "b": [0, 100, 255, 51]}, truth=True, truths=[[0, 2, 3]], count=3, labels={"a": [0, 0, 0]}
    )
    draws = iter([grey(17, 3), grey(0, 3), grey(102, 3)])  # the first is the one that the other scores are of
    of = engine("bicyclegan")
    scores = scored(of, samples, TASK, lambda images: {"fake_b": next(draws)})
    assert scores["eval/nearest_truth"] == pytest.approx((0 + 153 / 255 + 51 / 255 + 2 / 255) / 4)
    assert scores["eval/diversity"] == pytest.approx(102 / 255)
    assert scores["eval/l1"] == pytest.approx((17 + 83 + 238) / 3 / 255)
    draws = iter([grey(17, 3), grey(102, 3)])
    scores = scored(of, samples, How(draws=1), lambda images: {"fake_b": next(draws)})
    assert scores["eval/nearest_truth"] == pytest.approx((102 + 153 + 51 + 2) / 255 / 4)
    assert "eval/diversity" not in scores, "one draw differs from nothing"


def test_draws_are_made_of_the_sources_alone_and_one_stands_for_equal_inputs():
    samples = Flat({"a": [7, 8, 7], "b": [0, 0, 0]}, truth=True, truths=[[0, 2]])
    given = []

    def show(images):
        given.append(set(images))
        # Input 2 differs wildly between the draws; it is input 0, and is not looked at twice.
        return {"fake_b": torch.cat([grey(0, 2), grey(255 * (len(given) % 2), 1)])}

    scores = scored(engine("bicyclegan"), samples, How(draws=3), show)
    assert given == [{"a", "b"}, {"a"}, {"a"}, {"a"}]
    assert scores["eval/diversity"] == 0.0
    assert scores["eval/nearest_truth"] == 0.0


def test_a_system_that_does_not_vary_is_asked_once():
    calls = []

    def show(images):
        calls.append(images)
        return {"fake_b": images["a"]}

    samples = Flat({"a": [5, 5, 50], "b": [5, 56, 50]}, truth=True, truths=[[0, 1]])
    scores = scored(engine("pix2pix"), samples, How(draws=9), show)
    assert len(calls) == 1
    assert scores["eval/nearest_truth"] == scores["eval/l1"] == pytest.approx(51 / 255 / 3)
    assert "eval/diversity" not in scores


def test_more_draws_come_nearer():
    samples = Flat({"a": [0, 50, 100], "b": [100, 0, 200]}, truth=True)
    of = engine("bicyclegan")
    found = [scored(of, samples, How(draws=draws))["eval/nearest_truth"] for draws in (1, 2, 3, 20)]
    assert found == sorted(found, reverse=True), "the first draws of more are the same ones"
    assert found[0] > found[-1]


def test_the_spread_of_draws_is_the_mean_over_pairs():
    draws = torch.stack([grey(level, 1) for level in (0, 51, 255)])
    by_hand = (51 + 255 + 204) / 3 / 255
    assert spread(draws, lambda x, y: (x - y).abs().mean((1, 2, 3)) / 2).item() == pytest.approx(by_hand)


def test_features_differ_by_their_angle_and_not_by_their_length():
    x = torch.tensor([[1.0, 0.0], [2.0, 2.0], [0.0, 0.0], [3.0, 0.0]])
    y = torch.tensor([[0.0, 5.0], [0.5, 0.5], [0.0, 0.0], [-1.0, 0.0]])
    assert angle(x, y).tolist() == pytest.approx([1.0, 0.0, 0.0, 2.0], abs=1e-6)


def test_diversity_in_features_is_that_of_the_draws():
    draws = [torch.rand(3, 3, 32, 32) * 2 - 1 for _ in range(3)]
    shown = iter([grey(0, 3), *draws])
    scores = scored(
        engine("bicyclegan"),
        Flat({"a": [1, 2, 3], "b": [0, 0, 0]}),
        How(draws=3, task=Thirds()),
        lambda images: {"fake_b": next(shown)},
    )
    one, two, three = (Thirds().features(draw) for draw in draws)
    expected = (angle(one, two) + angle(one, three) + angle(two, three)).mean() / 3
    assert scores["eval/diversity[task]"] == pytest.approx(expected.item(), rel=0.02), "apart from the 8 bits"


def test_pictures_from_noise_are_judged_without_inputs():
    samples = Flat({"b": [0, 100, 200]}, labels={"b": [0, 1, 2]})
    scores = scored(engine("dcgan"), samples, TASK)
    assert {"eval/kid[task]", "eval/diversity", "eval/diversity[task]", "eval/fid[task]", "eval/is[task]"} <= set(
        scores
    )
    assert not {"eval/content", "eval/cosine", "eval/separation"} & set(scores)
    assert scores["eval/diversity"] > 0


def test_a_system_s_own_scores_leave_out_what_has_no_class():
    of = engine("classifier")
    samples = Flat({"b": [0, 100, 200, 50]}, labels={"b": [1, 1, 2, -1]})
    of.system.network = Thirds()
    scores, stages = evaluate(of, samples, How())
    assert scores == {"eval/accuracy": pytest.approx(2 / 3), "eval/samples": 4.0}
    assert list(stages) == ["b"]


def test_the_random_streams_of_draws_are_their_own():
    of, undisturbed = engine("bicyclegan"), engine("bicyclegan")
    samples = Flat({"a": [0, 50], "b": [100, 0]}, truth=True)
    first = scored(of, samples, How(draws=3))
    assert scored(of, samples, How(draws=3)) == first
    of.step()
    undisturbed.step()
    assert state_digest(of) == state_digest(undisturbed)


class Many(Flat):
    """Pictures of noise, as many as make three chunks, some of them sharing their picture of a."""

    def __init__(self):
        groups = [[0, 5, COUNT], [1, 2, 3], [9, COUNT - 1, COUNT + 1]]
        labels = {"a": [i % 4 - 1 for i in range(COUNT)]}
        maps = {"a": [label_map(i)[:, :, 0] if i % 5 else None for i in range(COUNT)]}
        super().__init__({}, truth=True, truths=groups, labels=labels, count=COUNT, label_maps=maps)

    def image(self, domain, index):
        same = min(self.truths(index)) if domain == "a" else index
        return np.random.default_rng([ord(domain), same]).integers(0, 256, (32, 32, 3), np.uint8)


SYSTEMS = ("bicyclegan", "cyclegan", "dcgan")


def job(pipe, rank, workers, replicas):
    module = tiny_module()
    both = replace(TASK, features=module, gives=frozenset(module.gives(3, IMAGE)))
    for name in SYSTEMS:
        for how in (both, PIXELS):
            pipe.send(evaluate(engine(name, tree=Tree(replicas, rank, workers)), Many(), how)[0])


def test_any_number_of_workers_finds_the_same_to_the_bit():
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for workers in (1, 2, 4):
        with Processes(job, workers, BATCH) as processes:
            for judged in ((name, by) for name in SYSTEMS for by in ("pictures", "pixels")):
                every = [{m: score.hex() for m, score in scores.items()} for scores in processes.answers()]
                assert all(scores == every[0] for scores in every)
                found.setdefault(judged, []).append(every[0])
    assert all(one == two == four for one, two, four in found.values())
    pictures, pixels = found["bicyclegan", "pictures"][0], found["bicyclegan", "pixels"][0]
    judged_by_both = {
        "eval/nearest_truth",
        "eval/diversity[task]",
        "eval/fid[task]",
        "eval/task_accuracy",
        "eval/style",
    }
    assert judged_by_both <= set(pictures) & set(pixels)
    assert {"eval/is[task]", "eval/mode_coverage", "eval/content", "eval/separation", "eval/retrieval"} <= set(pictures)
    assert {"eval/class_iou", "eval/distance_correlation", "eval/collapse"} <= set(pixels)
    own = {"eval/fid[tiny]", "eval/kid[tiny]", "eval/is[tiny]", "eval/lpips[tiny]", "eval/diversity[tiny]"}
    assert own <= set(pictures)
    assert pictures["eval/task_accuracy"] != pixels["eval/task_accuracy"]
