"""A run whose passes are computed again on the way back: less is kept, the bits are the same, and it may begin anywhere."""

from dataclasses import replace

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from cluster.building import build_engine
from cluster.checkpoints.folder import Checkpoints
from cluster.data import open_data
from cluster.layout import SweepPaths
from cluster.report import Place
from cluster.training import train
from data_shards.store import open_store
from trainers.recomputing import recompute_networks


def digest(run):
    found = Checkpoints(open_store(run.storage), SweepPaths(run.sweep).checkpoints(run.trial)).newest()
    assert found is not None
    return found.step, found.digest


def go(run, until=10**9):
    train(run, Place(), lambda report: report.step < until, lambda: None)
    return digest(run)


def test_it_comes_to_the_same_from_the_start_and_from_half_way(run):
    wanted = go(run)
    assert go(replace(run, trial=1, recompute=True)) == wanted
    assert go(replace(run, trial=2), until=2) != wanted
    assert go(replace(run, trial=2, recompute=True)) == wanted, "from a checkpoint of one that kept everything"


@pytest.mark.parametrize("recompute", [False, True])
def test_what_the_way_back_needs_is_not_kept(run, recompute):
    kept = 0

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    run = replace(run, recompute=recompute)
    data = open_data(run)
    with data.stream(0, 1) as stream:
        engine = build_engine(run, data.shapes(), stream, Place())
        pictures = torch.zeros((2, *data.shapes()["a"]))
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            engine.system.translators["b"](pictures)
    parameters = sum(p.numel() for p in engine.system.translators["b"].parameters())
    assert kept <= pictures.numel() if recompute else kept > pictures.numel() + parameters


def test_what_is_given_by_name_goes_through():
    layer = torch.nn.Bilinear(2, 3, 4)
    first, second = torch.randn(5, 2, requires_grad=True), torch.randn(5, 3)
    kept = layer(first, input2=second)
    (wanted,) = torch.autograd.grad(kept.sum(), first)
    recompute_networks([layer])
    again = layer(first, input2=second)
    assert torch.equal(again, kept)
    assert torch.equal(torch.autograd.grad(again.sum(), first)[0], wanted)
