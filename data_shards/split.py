"""Which samples train and which validate: decided by content, so that no picture is ever on both sides.

The surprise: two samples may have to stay together without sharing anything themselves, because a third one shares a
picture with each. Groups are therefore the connected components over all samples, not the values of a column.
"""

import hashlib
from collections.abc import Collection, Hashable, Mapping, Sequence

TRAIN = "train"
VALIDATION = "validation"
SPLITS = (TRAIN, VALIDATION)


def split(
    traits: Sequence[Sequence[Hashable]],
    contents: Sequence[bytes],
    validation: float,
    domains: Sequence[Collection[str]] = (),
) -> list[str]:
    """The side of each sample, "train" or "validation".

    traits: per sample, whatever ties it to other samples (its pictures' digests, its group's name): samples that
    share a trait, directly or through others, get the same side. contents: per sample, a digest of what it shows. A
    group's side follows from the smallest digest in it, so it does not depend on names, on order, or (mostly) on what
    is added later. validation: the share of groups to hold back, in [0, 1). As soon as there are two groups neither
    side is left empty, unless `validation` is 0. domains: per sample, those it has pictures of; a domain with two
    groups gets at least one on either side, the validation side the one that hashing placed first (with three domains
    or more that can be impossible, see `one_sided`). Where hashing alone gives every domain both, nothing is moved.
    """
    roots = connected(traits)
    smallest: dict[int, bytes] = {}
    for root, content in zip(roots, contents, strict=True):
        smallest[root] = min(content, smallest.get(root, content))
    places = {root: _place(content) for root, content in smallest.items()}
    held = {root for root, place in places.items() if place < validation}
    if validation > 0 and len(places) > 1:
        ranked = sorted(places, key=lambda root: places[root])
        held = (held or {ranked[0]}) - (set() if len(held) < len(places) else {ranked[-1]})
        groups: dict[str, set[int]] = {}
        for root, sample in zip(roots, domains or [()] * len(roots), strict=True):
            for domain in sample:
                groups.setdefault(domain, set()).add(root)
        held = _both_sides(held, ranked, groups)
    return [VALIDATION if root in held else TRAIN for root in roots]


def _both_sides(held: set[int], ranked: Sequence[int], groups: Mapping[str, set[int]]) -> set[int]:
    """`held` with a group added or given back for every domain that has none on one side, where no other domain would
    lose its last one. ranked: all groups by their places. groups: domain -> its groups."""
    parts = [groups[domain] for domain in sorted(groups) if len(groups[domain]) > 1]
    for part in parts:
        if not part & held:
            lone = {root for other in parts if len(rest := other - held) == 1 for root in rest}
            held = held | set([root for root in ranked if root in part - lone][:1])
        elif part <= held:
            lone = {root for other in parts if len(rest := other & held) == 1 for root in rest}
            held = held - set([root for root in ranked if root in part - lone][-1:])
    return held


def one_sided(domains: Sequence[Collection[str]], sides: Sequence[str]) -> list[str]:
    """Notes about the domains that `split` left without pictures on one side."""
    there = {(domain, side) for sample, side in zip(domains, sides, strict=True) for domain in sample}
    return [
        f"domain {domain} has no {side} pictures: all that it has belong together (equal pictures, pairs or groups "
        "are never divided), so --validation cannot give it both sides"
        for domain in sorted({domain for domain, _ in there})
        for side in SPLITS
        if (domain, side) not in there
    ]


def shared_with_validation(traits: Sequence[Sequence[Hashable]], sides: Sequence[str]) -> list[int]:
    """For sides that the source itself decided: the training samples that share a trait with a validation sample."""
    seen = {trait for sample, side in zip(traits, sides, strict=True) if side == VALIDATION for trait in sample}
    return [i for i, side in enumerate(sides) if side == TRAIN and any(trait in seen for trait in traits[i])]


def connected(traits: Sequence[Sequence[Hashable]]) -> list[int]:
    """Per sample, the number of a sample that stands for its connected component (union-find with path halving)."""
    parent = list(range(len(traits)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[Hashable, int] = {}
    for i, sample in enumerate(traits):
        for trait in sample:
            parent[root(i)] = root(first.setdefault(trait, i))
    return [root(i) for i in range(len(traits))]


def _place(content: bytes) -> float:
    """A number in [0, 1) that depends on the content alone."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8, person=b"split").digest(), "big") / 2**64
