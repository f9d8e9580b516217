"""Tables that workers fill together."""

import pytest
import torch

from trainers.rows import Rows
from trainers.tree import Tree

CPU = torch.device("cpu")


def test_only_rows_that_were_filled_are_there():
    rows = Rows()
    rows.reserve("score", 5)
    rows.reserve("features", 3, 2)
    rows.reserve("empty", 4)
    rows.put("score", [3, 1], torch.tensor([1.0, 0.0]))
    rows.put("features", range(1, 3), torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
    rows.put("empty", [], torch.empty(0))
    rows.add_up(Tree(2), CPU)
    assert rows.filled("score").tolist() == [[0.0], [1.0]]
    assert rows.filled("features").tolist() == [[1.0, 2.0], [0.0, 0.0]]
    assert rows.mean("score") == 0.5
    assert rows.mean("empty") is None
    assert rows.mean("no such table") is None


def test_one_worker_knows_no_negative_zero_that_two_would_not_know():
    rows = Rows()
    rows.reserve("score", 1)
    rows.put("score", [0], torch.tensor([-0.0]))
    mean = rows.mean("score")
    assert mean is not None and mean.hex() == "0x0.0p+0"


def test_what_is_not_finite_stays_so():
    rows = Rows()
    rows.reserve("score", 2)
    rows.put("score", [0, 1], torch.tensor([1.0, float("nan")]))
    assert rows.mean("score") == pytest.approx(float("nan"), nan_ok=True)
