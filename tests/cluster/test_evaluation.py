"""A training that is judged by another one: what `task`, `evaluation` and the data's classes come to in its report."""

import numpy as np
import pytest
from PIL import Image

from cluster.layout import SweepPaths
from cluster.model import export_best
from cluster.report import Report
from data_shards.build.folder import build_folder
from data_shards.manifest import Manifest
from data_shards.store import open_store
from tests.cluster.trained import trained

TINY = {"latent": 2, "width": 4, "levels": 3, "encoder_width": 4, "critic": "patch16", "critic_width": 4}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> str:
    """20 pairs: a is dark or bright, b has the same class; pairs 0 to 3 share their picture of a."""
    root = tmp_path_factory.mktemp("labelled")
    rows = ["file,class"]
    for domain in "ab":
        (root / f"source/{domain}").mkdir(parents=True)
        for i in range(20):
            seed = 0 if domain == "a" and i < 4 else i
            low = 128 * (i % 2) if i >= 4 else 0
            pixels = np.random.default_rng([ord(domain), seed]).integers(low, low + 128, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(root / f"source/{domain}/{i:02d}.png")
            rows += [f"{domain}/{i:02d}.png,{'bright' if low else 'dark'}"]
    (root / "source/labels.csv").write_text("\n".join(rows))
    build_folder(str(root / "shards"), source=str(root / "source"), paired=True, validation=0.5)
    return str(root / "shards")


def test_a_run_is_judged_by_the_task_network_that_another_run_trained(labelled, tmp_path):
    base = {"data": {"uri": labelled, "image": 32, "batch": 4}, "storage": str(tmp_path / "runs")}
    told: list[Report] = []
    network = trained(
        {**base, "system": "classifier", "steps": 30, "hyper": {"width": 4}, "every": {"evaluate": 30}}, told
    )
    assert told[-1].metrics["eval/accuracy"] == 1.0, "brightness is easily told"
    assert told[-1].metrics["eval/samples"] == Manifest.open(labelled).domains["b"].validation > 6
    export_best(open_store(network.storage), network.sweep, 0)
    judged = {
        **base,
        "system": "bicyclegan",
        "steps": 2,
        "hyper": TINY,
        "task": f"{network.storage}/{SweepPaths(network.sweep).best}",
        "evaluation": {"samples": 6, "draws": 3},
        "objective": {"metric": "eval/kid[task]"},
    }
    run = trained(judged, told)
    assert (run.evaluation.samples, run.evaluation.draws, run.keep.metric) == (6, 3, "eval/kid[task]")
    found = {name for name in told[-1].metrics if name.startswith("eval/")}
    names = (
        "l1",
        "psnr",
        "ssim",
        "nearest_truth",
        "task_accuracy",
        "task_accuracy_input",
        "kid[task]",
        "samples",
        "diversity",
    )
    more = (
        "diversity[task]",
        "fid[task]",
        "is[task]",
        "kid_spread[task]",
        "mode_coverage",
        "content",
        "style",
        "retrieval",
    )
    assert {f"eval/{name}" for name in (*names, *more)} <= found
    assert not found & {"eval/pixel_accuracy", "eval/cycle", "eval/lpips[task]"}
    assert told[-1].metrics["eval/samples"] == 6
    assert told[-1].metrics["eval/task_accuracy_input"] == 1.0, "inputs are as bright as their truths"
