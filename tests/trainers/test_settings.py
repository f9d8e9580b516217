"""A weight has one home and several names: no name may mean two things."""

import pytest

from trainers.settings import Reads, aliases, effective
from trainers.systems.catalog import SYSTEMS

EACH_SYSTEM = pytest.mark.parametrize("name", SYSTEMS)


def test_the_papers_symbols_name_the_terms_that_carry_them():
    known = aliases(SYSTEMS["cyclegan"].terms)
    assert known["lambda_cyc"] == known["cyc"] == ("cyc_a", "cyc_b")
    assert known["alpha_2A"] == known["lambda_A"] == ("cyc_a",)
    assert known["lambda_B"] == ("cyc_b",)
    assert known["lambda_idt"] == ("idt_a", "idt_b")
    assert aliases(SYSTEMS["pix2pix"].terms)["lambda"] == ("l1",)


@EACH_SYSTEM
def test_no_name_means_two_things(name):
    terms = SYSTEMS[name].terms
    group_of = {term.name: term.group or term.name for term in terms}
    for alias, carriers in aliases(terms).items():
        assert alias.isascii() and alias.replace("_", "").isalnum(), "a name that can be a key of a file"
        assert len({group_of[carrier] for carrier in carriers}) == 1, "a symbol stays within its group"
        if alias in group_of:
            assert carriers == (alias,), "a term's own name sets nothing else"
        if alias in group_of.values():
            assert set(carriers) == {term for term, group in group_of.items() if group == alias}


def test_the_identity_weight_multiplies_the_cycles():
    terms = SYSTEMS["cyclegan"].terms
    weights = {term.name: term.weight for term in terms}
    assert effective(terms, weights) == weights | {"idt_a": 5.0, "idt_b": 5.0}
    changed = effective(terms, weights | {"cyc_a": 4.0, "idt_b": 2.0})
    assert (changed["cyc_a"], changed["idt_a"], changed["idt_b"]) == (4.0, 2.0, 20.0)


def test_a_pair_is_one_source_and_two_domains_are_two():
    assert Reads(("a", "b"), paired=True).sources == {"ab": ("a", "b")}
    assert Reads(("a", "b"), paired=False).sources == {"a": ("a",), "b": ("b",)}
