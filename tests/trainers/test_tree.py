"""The one order of addition: a fixed binary tree, however many workers share it."""

import gc

import pytest
import torch

import trainers.tree
from tests.trainers.processes import Processes
from tests.trainers.worlds import engine
from trainers.tree import LocalSum, Tree, is_power_of_two

CPU = torch.device("cpu")


def tree_sum(leaves):
    """The sum in a balanced binary tree, written out."""
    if len(leaves) == 1:
        return leaves[0]
    half = len(leaves) // 2
    return tree_sum(leaves[:half]) + tree_sum(leaves[half:])


def local_sum(leaves):
    """The same by LocalSum."""
    sums = LocalSum(leaves[0].numel(), CPU)
    for leaf in leaves:
        sums.push(sums.take().copy_(leaf))
    return sums.result().clone()


@pytest.mark.parametrize("count", [1, 2, 4, 8, 16])
def test_a_local_sum_is_the_binary_tree_to_the_bit(count):
    torch.manual_seed(count)
    leaves = [torch.randn(512) * 10.0 ** torch.randint(-4, 5, (512,)) for _ in range(count)]
    assert torch.equal(local_sum(leaves), tree_sum(leaves))
    if count > 2:
        in_sequence = leaves[0].clone()
        for leaf in leaves[1:]:
            in_sequence += leaf
        assert not torch.equal(in_sequence, tree_sum(leaves)), "the values would not tell the orders apart"


@pytest.mark.parametrize(("replicas", "workers"), [(8, 2), (8, 4), (16, 4), (4, 4)])
def test_workers_hold_subtrees(replicas, workers):
    torch.manual_seed(0)
    leaves = [torch.randn(256) * 10.0 ** torch.randint(-4, 5, (256,)) for _ in range(replicas)]
    hosted = [Tree(replicas, rank, workers).hosted for rank in range(workers)]
    assert [replica for ours in hosted for replica in ours] == list(range(replicas)), "contiguous, each once"
    assert {len(ours) for ours in hosted} == {replicas // workers}
    parts = [local_sum([leaves[replica] for replica in ours]) for ours in hosted]
    assert torch.equal(tree_sum(parts), tree_sum(leaves))


def test_a_local_sum_starts_anew():
    sums = LocalSum(3, CPU)
    for value in (1.0, 10.0):
        for _ in range(4):
            buffer = sums.take()
            sums.push(buffer.fill_(value))
        assert sums.result().tolist() == [4 * value] * 3


def test_steps_leave_no_tensors_behind():
    of = engine("cyclegan", tree=Tree(4))

    def living_after(steps):
        for _ in range(steps):
            of.step()
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    assert living_after(3) == living_after(3)


SHAPES = ((1001,), (17, 60), (64,))  # an odd number, a table, the least that is shared out


def leaves_of(replicas, shape, dtype=torch.float64):
    """Values whose sum shows the order of addition; the same in every process."""
    random = torch.Generator().manual_seed(replicas)
    scale = 10.0 ** torch.randint(-12, 13, (replicas, *shape), generator=random)
    return list((torch.randn((replicas, *shape), generator=random, dtype=torch.float64) * scale).to(dtype))


def add_up(pipe, rank, workers, replicas):
    """Say the sums over the workers: (numbers from which sums are shared out, type, shape) -> sum."""
    tree, found = Tree(replicas, rank, workers), {}
    for large in (1 << 30, 64):
        trainers.tree.LARGE = large
        for dtype in (torch.float32, torch.float64):
            for shape in SHAPES:
                ours = [leaves_of(replicas, shape, dtype)[replica] for replica in tree.hosted]
                total = tree_sum(ours).clone()
                tree.sum_across_workers(total)
                found[large, dtype, shape] = total.numpy()
    pipe.send(found)
    pipe.recv()  # the others' last exchange is with us


@pytest.mark.parametrize(("workers", "replicas"), [(2, 4), (4, 4), (8, 8)])
def test_workers_add_up_by_the_tree_whether_whole_or_in_shares(workers, replicas):
    with Processes(add_up, workers, replicas) as processes:
        everybody = processes.answers()
    for (_, dtype, shape), total in everybody[0].items():
        leaves = leaves_of(replicas, shape, dtype)
        assert torch.equal(torch.from_numpy(total), tree_sum(leaves))
        assert not torch.equal(torch.stack(leaves).flip(0).cumsum(0)[-1], tree_sum(leaves)), "any order would do"
    first, *others = everybody
    for other in others:
        assert all((other[key] == total).all() for key, total in first.items()), "every rank holds the same bits"


def test_room_to_receive_into_is_kept_and_belongs_to_no_comparison():
    tree, like = Tree(4), torch.zeros(1)
    room = tree._room(like, 100)
    assert tree._room(like, 40).data_ptr() == room.data_ptr()
    assert tree._room(like.double(), 40).dtype == torch.float64
    assert (tree, hash(tree)) == (Tree(4), hash(Tree(4)))


def test_a_sum_that_was_begun_can_be_given_up():
    sums = LocalSum(3, CPU)
    sums.push(sums.take().fill_(5.0))
    sums.clear()
    for value in (1.0, 2.0):
        sums.push(sums.take().fill_(value))
    assert sums.result().tolist() == [3.0] * 3


def test_only_powers_of_two_make_a_tree():
    assert [n for n in range(18) if is_power_of_two(n)] == [1, 2, 4, 8, 16]
    for replicas, workers in ((3, 1), (4, 3), (2, 4)):
        with pytest.raises(AssertionError):
            Tree(replicas, 0, workers)
