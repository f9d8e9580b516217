from hypothesis import given
from hypothesis import strategies as st

from data_shards.split import SPLITS, connected, one_sided, shared_with_validation, split

# A sample is a few of eight traits, so that long chains of samples that share one are common.
samples = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=3), min_size=1, max_size=30)


@given(samples, st.sampled_from([0.0, 0.1, 0.5, 0.9]))
def test_nothing_is_on_both_sides(traits: list[list[int]], validation: float) -> None:
    sides = split(traits, [bytes([min(sample)]) for sample in traits], validation)
    for trait in range(31):
        assert len({side for sample, side in zip(traits, sides, strict=True) if trait in sample}) <= 1
    assert set(sides) <= set(SPLITS)
    assert validation > 0 or set(sides) == {"train"}


@given(samples, st.randoms())
def test_the_order_of_samples_does_not_matter(traits: list[list[int]], random) -> None:
    shuffled = list(range(len(traits)))
    random.shuffle(shuffled)
    contents = [bytes([min(sample)]) for sample in traits]
    sides = split(traits, contents, 0.3)
    again = split([traits[i] for i in shuffled], [contents[i] for i in shuffled], 0.3)
    assert again == [sides[i] for i in shuffled]


def test_a_chain_stays_together_and_neither_side_is_empty() -> None:
    chain = [[i, i + 1] for i in range(20)]
    sides = split([*chain, [100]], [b"x"] * 20 + [b"y"], 0.01)
    assert len(set(sides[:20])) == 1
    assert set(sides) == set(SPLITS)


def test_the_share_is_about_what_was_asked_for() -> None:
    sides = split([[i] for i in range(4000)], [i.to_bytes(2, "big") for i in range(4000)], 0.1)
    assert 300 < sides.count("validation") < 500


two_domains = st.lists(
    st.tuples(st.lists(st.integers(0, 30), min_size=1, max_size=3), st.sampled_from(["a", "b", "ab"])),
    min_size=1,
    max_size=12,
)


@given(two_domains, st.sampled_from([0.01, 0.1, 0.5, 0.99]), st.randoms())
def test_every_domain_of_two_groups_has_both_sides(samples: list[tuple[list[int], str]], validation: float, random):
    traits, domains = [sample for sample, _ in samples], [held for _, held in samples]
    contents = [bytes([min(sample)]) for sample in traits]
    sides = split(traits, contents, validation, domains)
    roots = connected(traits)
    for domain in "ab":
        mine = [i for i, held in enumerate(domains) if domain in held]
        if len({roots[i] for i in mine}) > 1:
            assert {sides[i] for i in mine} == set(SPLITS)
    by_hash = split(traits, contents, validation)
    if not one_sided(domains, by_hash):
        assert sides == by_hash, "where hashing gives both, it decides alone"
    order = list(range(len(samples)))
    random.shuffle(order)
    again = split([traits[i] for i in order], [contents[i] for i in order], validation, [domains[i] for i in order])
    assert again == [sides[i] for i in order]


def test_the_sides_of_a_known_data_set() -> None:
    numbers = range(200)
    plain = split([[i] for i in numbers], [b"%d" % i for i in numbers], 0.1)
    domains = ["b" if i % 2 else "a" for i in numbers]
    assert split([[i] for i in numbers], [b"%d" % i for i in numbers], 0.1, domains) == plain
    assert [i for i in range(60) if plain[i] == "validation"] == [5, 19, 44, 50]


def test_three_domains_that_cannot_all_have_both_sides_are_told() -> None:
    domains = ["ab", "bc", "ac"]  # whichever two groups are on one side, some domain has only these
    sides = split([[0], [1], [2]], [b"x", b"y", b"z"], 0.1, domains)
    (note,) = one_sided(domains, sides)
    assert " has no " in note
    assert "--validation" in note
    assert one_sided(["a", "a"], ["train", "validation"]) == []


def test_training_samples_seen_in_validation_are_found() -> None:
    assert shared_with_validation([["x"], ["y"], ["x", "z"]], ["train", "train", "validation"]) == [0]
