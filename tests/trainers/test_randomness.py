"""Random streams are addressed, never stored: the same place gives the same numbers, for ever."""

import itertools

import torch

from trainers import randomness

CPU = torch.device("cpu")


def test_the_address_is_a_format():
    # A changed number here is a changed result of every run, and breaks the resume of those under way.
    assert randomness.key(0, "main", 3, 1, 0) == 2162420565872375795
    assert randomness.key(7, "weights") == 7666930925011844685


def test_every_part_of_the_address_counts():
    addresses = list(itertools.product((0, 1, 12), ("main", "silent"), (0, 1, 11), (0, 1)))
    keys = {randomness.key(*address) for address in addresses}
    assert len(keys) == len(addresses)
    assert all(0 <= key < 2**63 for key in keys)
    assert randomness.key(1, 11) != randomness.key(11, 1) != randomness.key(111)


def test_seeding_forgets_what_was_drawn_before():
    randomness.seed_generators(CPU, 0, "main", 5, 1, 0)
    first = torch.rand(4)
    torch.rand(1000)
    randomness.seed_generators(CPU, 0, "main", 5, 1, 0)
    assert torch.equal(torch.rand(4), first)
    randomness.seed_generators(CPU, 0, "main", 5, 1, 1)
    assert not torch.equal(torch.rand(4), first)
