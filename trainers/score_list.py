"""Every score that an evaluation can have, each with its one line: validation, objectives, help and pages come from here.

A name with [task] in it stands for one score in each network that looks at pictures: numbers by different networks say nothing
of each other, so the name tells them apart. No torch here: the command line checks names against this list.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from trainers.outputs import ANGLES, CLASSES, FEATURES, LOGITS, LPIPS, MAPS, PIXELS
from trainers.settings import Score

OF_TASK = "[task]"
MAPPED: dict[str, Any] = {
    "needs_task": True,
    "needs_labels": True,
    "output": PIXELS,
}  # read off pixels, held against label maps
TURNED: dict[str, Any] = {
    "needs_task": True,
    "needs_labels": True,
    "output": ANGLES,
}  # angles, held against those that the inputs' classes are named after

SCORES = {
    score.metric: score
    for score in (
        Score("l1", "min", "fake_b", "b", "mean |output - truth|, images in [0, 1], a to b", True),
        Score("psnr", "max", "fake_b", "b", "peak signal-to-noise ratio against the truth in dB, a to b", True),
        Score("ssim", "max", "fake_b", "b", "structural similarity with the truth, at most 1, a to b", True),
        Score("l1_ba", "min", "fake_a", "a", "mean |output - truth|, images in [0, 1], b to a", True),
        Score("psnr_ba", "max", "fake_a", "a", "peak signal-to-noise ratio against the truth in dB, b to a", True),
        Score("ssim_ba", "max", "fake_a", "a", "structural similarity with the truth, at most 1, b to a", True),
        Score("cycle", "min", "cycle_a", "a", "mean |G_ba(G_ab(a)) - a|, images in [0, 1]", False, measures="cyc"),
        Score("identity", "min", "idt_b", "b", "mean |G_ab(b) - b|, images in [0, 1]", False, measures="idt"),
        Score(
            "nearest_truth",
            "min",
            "fake_b",
            "b",
            "mean over all truths of an input of |truth - the draw nearest to it|, images in [0, 1]",
            True,
        ),
        Score(
            "task_accuracy",
            "max",
            "fake_b",
            "a",
            "share of the outputs that the task network takes for the class of their input",
            needs_task=True,
            needs_labels=True,
            output=CLASSES,
        ),
        Score(
            "task_accuracy_input",
            "max",
            "a",
            "a",
            "the same of the inputs as they are: what doing nothing would give",
            needs_task=True,
            needs_labels=True,
            fixed=True,
            output=CLASSES,
        ),
        Score(
            "angle_error",
            "min",
            "fake_b",
            "a",
            "mean difference of the angle read in outputs and that of their input's class, in degrees, 0 to 180",
            **TURNED,
        ),
        Score(
            "angle_error_input",
            "min",
            "a",
            "a",
            "the same of the inputs as they are: what doing nothing would give",
            fixed=True,
            **TURNED,
        ),
        Score(
            "angle_spread",
            "min",
            "fake_b",
            "a",
            "circular standard deviation of the same differences after the best turn and mirroring of all, in degrees",
            least=2,
            **TURNED,
        ),
        Score(
            "kid[task]",
            "min",
            "fake_b",
            "b",
            "kernel inception distance of outputs and real pictures in the task network's features; around 0 at best",
            needs_task=True,
            least=2,
            output=FEATURES,
        ),
        Score(
            "fid[task]",
            "min",
            "fake_b",
            "b",
            "Frechet distance of outputs and real pictures in the features of the task network; of few pictures too large",
            needs_task=True,
            least=2,
            output=FEATURES,
        ),
        Score(
            "kid_spread[task]",
            "min",
            "fake_b",
            "b",
            "standard deviation of the kernel distance in the task network over subsets of half of the pictures",
            needs_task=True,
            least=4,
            output=FEATURES,
            aside="says how far chance moves the kernel distance, and not which trial is better",
        ),
        Score(
            "is[task]",
            "max",
            "fake_b",
            "",
            "inception score: how surely the task network reads classes in outputs, and how many of them; no real picture counts",
            needs_task=True,
            output=LOGITS,
        ),
        Score(
            "lpips[task]",
            "min",
            "fake_b",
            "b",
            "learned perceptual distance of output and truth, as the task network weighs it",
            True,
            output=LPIPS,
        ),
        Score(
            "content",
            "min",
            "fake_b",
            "a",
            "distance of output and input in the maps of a network's layers",
            output=MAPS,
        ),
        Score(
            "style",
            "min",
            "fake_b",
            "b",
            "distance of the mean Gram matrices of outputs and of real pictures",
            output=MAPS,
        ),
        Score("cosine", "max", "fake_b", "a", "mean cosine of the features of output and input", output=FEATURES),
        Score(
            "separation",
            "max",
            "fake_b",
            "a",
            "share of outputs that a linear classifier of the features of a and b takes for b",
            output=FEATURES,
        ),
        Score(
            "retrieval",
            "max",
            "fake_b",
            "b",
            "share of outputs whose own truth is the nearest of all truths in the features of a network",
            True,
            output=FEATURES,
        ),
        Score(
            "mode_coverage",
            "max",
            "fake_b",
            "b",
            "of the classes that the task network reads in real pictures, the share that it reads in outputs",
            needs_task=True,
            output=LOGITS,
        ),
        Score(
            "mode_kl",
            "min",
            "fake_b",
            "b",
            "KL divergence of the classes read in outputs from those read in real pictures, in nats",
            needs_task=True,
            output=LOGITS,
        ),
        Score(
            "pixel_accuracy", "max", "fake_b", "a", "share of all pixels read as the input's label map says", **MAPPED
        ),
        Score(
            "class_accuracy",
            "max",
            "fake_b",
            "a",
            "mean over the classes of the share of their pixels read as such",
            **MAPPED,
        ),
        Score(
            "class_iou",
            "max",
            "fake_b",
            "a",
            "mean over the classes of pixels in map and reading / in either",
            **MAPPED,
        ),
        Score(
            "distance_correlation",
            "max",
            "fake_b",
            "a",
            "correlation of the distances of two inputs and of their outputs, over pairs",
            least=3,
            pulled="dist",
        ),
        Score(
            "distance_correlation_halves",
            "max",
            "fake_b",
            "a",
            "correlation of the distances between the left and right halves of inputs and of their outputs",
            least=3,
            pulled="self",
        ),
        Score(
            "collapse",
            "max",
            "fake_b",
            "b",
            "mean distance of two outputs over that of two real pictures: near 0 where all outputs are alike",
            least=2,
            aside="is healthy near 1 and says nothing above it; `stop: {collapse: true}` acts on the like",
        ),
        Score("diversity", "max", "fake_b", "", "mean |difference| of two draws, images in [0, 1]", varied=True),
        Score(
            "diversity[task]",
            "max",
            "fake_b",
            "",
            "mean of 1 - cosine of two draws' features in the task network",
            needs_task=True,
            varied=True,
            output=FEATURES,
        ),
    )
}


def in_network(score: Score, network: str) -> Score:
    """A score of the family `name[task]` in another network, by whose name it is called."""
    name, meaning = score.name.replace(OF_TASK, f"[{network}]"), score.meaning.replace("the task network", network)
    return dataclasses.replace(score, name=name, meaning=meaning, needs_task=False)
