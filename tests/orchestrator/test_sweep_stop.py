"""The key `stop`: what it may say, what that comes to, and how each slip is told."""

from typing import Annotated

import jsonschema
import pytest
from pydantic import Field, ValidationError

from cluster.stopping import RULES
from orchestrator.sweep_file.data import Part
from orchestrator.sweep_file.errors import refusals
from orchestrator.sweep_file.stop import STOP, Stop
from orchestrator.sweep_file.yaml_file import parse_yaml

OBJECTIVES = [("eval/l1", "min")]
WON, COLLAPSE = {"above": 0.98, "for": 0.3}, {"below": 0.1, "grace": 0.3}
MUST = "stop: must be none, default or rules such as {collapse: on, no_gain: {for: 0.3}}, not"


class File(Part):
    """A sweep file of which nothing but this key is of interest."""

    stop: Annotated[Stop, STOP] = Field(default=Stop(), description="When a trial is given up.")


def read(text):
    return File.model_validate(parse_yaml(f"stop: {text}", "x"))


def rules(text):
    return read(text).stop.rules(OBJECTIVES).thresholds


@pytest.mark.parametrize(
    ("text", "comes_to"),
    [
        ("none", {}),
        ("default", {"nonfinite": {}, "critic_won": WON, "collapse": COLLAPSE}),
        ("{critic_won: on}", {"nonfinite": {}, "critic_won": WON}),
        ("{critic_won: true, nonfinite: false}", {"critic_won": WON}),
        ("{nonfinite: on, collapse: off, no_gain: false}", {"nonfinite": {}}),
        ("{critic_won: {for: 0.5}, nonfinite: off}", {"critic_won": {"above": 0.98, "for": 0.5}}),
        ("{collapse: {below: 0.2, grace: 1}, nonfinite: off}", {"collapse": {"below": 0.2, "grace": 1.0}}),
        ("{no_gain: {}, nonfinite: off}", {"no_gain": {"for": 0.3}}),
    ],
)
def test_what_a_file_asks_for(text, comes_to):
    assert rules(text) == comes_to


def test_unasked_only_what_is_no_number_stops_a_trial():
    assert File().stop.rules(OBJECTIVES).thresholds == {"nonfinite": {}}
    assert File().stop.rules(OBJECTIVES).objectives == tuple(OBJECTIVES)


def test_every_rule_can_be_asked_for_and_has_the_thresholds_that_were_declared():
    assert list(Stop.model_fields) == list(RULES)
    every = rules("{" + ", ".join(f"{name}: on" for name in reversed(RULES)) + "}")
    assert list(every.items()) == [(name, dict(rule.thresholds)) for name, rule in RULES.items()]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("defaults", f"{MUST} 'defaults'"),
        ("true", f"{MUST} true"),
        ("", f"{MUST} null"),
        ("{}", f"{MUST} {{}}"),
        ("[collapse]", f"{MUST} ['collapse']"),
        ("{colapse: on}", "stop.colapse: unknown key 'colapse'; nearest: collapse"),
        ("{collapse: yes}", "stop.collapse: must be on, off or a mapping of thresholds, not 'yes'"),
        ("{collapse: 0.1}", "stop.collapse: must be on, off or a mapping of thresholds, not 0.1"),
        ("{collapse: null}", "stop.collapse: must be on, off or a mapping of thresholds, not null"),
        ("{collapse: {belo: 0.1}}", "stop.collapse.belo: unknown key 'belo'; nearest: below"),
        ("{collapse: {below: 0}}", "stop.collapse.below: must be greater than 0, not 0"),
        ("{critic_won: {for: 20}}", "stop.critic_won.for: must be at most 1, not 20"),
        ("{critic_won: 1}", "stop.critic_won: must be on, off or a mapping of thresholds, not 1"),
        ("{nonfinite: {}}", "stop.nonfinite: must be on or off, not {}"),
        ("{nonfinite: 1}", "stop.nonfinite: must be on or off, not 1"),
    ],
)
def test_a_slip_is_told_in_one_line(text, line):
    with pytest.raises(ValidationError) as caught:
        read(text)
    assert [str(refusal) for refusal in refusals(caught.value, File)] == [line]
    schema = jsonschema.Draft202012Validator(File.model_json_schema())
    assert not schema.is_valid(parse_yaml(f"stop: {text}", "x")) or text == "{}", "an editor tells it too"


@pytest.mark.parametrize("text", ["none", "default", "{critic_won: {for: 0.5}, collapse: on, nonfinite: false}"])
def test_an_editor_takes_what_the_reader_takes(text):
    schema = jsonschema.Draft202012Validator(File.model_json_schema())
    schema.validate(parse_yaml(f"stop: {text}", "x"))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{critic_won: {for: 0.5}}", {"critic_won": {"for": 0.5}}),
        ("{no_gain: on, nonfinite: off}", {"no_gain": {}, "nonfinite": False}),
        ("default", {"nonfinite": True, "critic_won": {}, "collapse": {}}),
    ],
)
def test_a_sweep_s_identity_has_the_keys_as_they_are_written(text, written):
    assert read(text).model_dump(exclude_unset=True) == {"stop": written}
