"""The `stop` part of a sweep file: by which rules a trial is given up. The rules themselves are declared in `cluster/stopping.py`.

Its key is read as `stop: Annotated[Stop, STOP]`, which takes a word as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from cluster.stopping import RULES, UNASKED, Rules
from orchestrator.errors import show
from orchestrator.sweep_file.data import Part
from orchestrator.sweep_file.values import Share

STILL = "while the objective stands still"


class _Rule(Part):
    """A rule's thresholds. `for`, as the file has it, is a word of Python's: the field is `share`."""

    model_config = ConfigDict(serialize_by_alias=True)  # a sweep's identity speaks of keys as they are written


def _threshold(rule: str, name: str, description: str) -> Any:
    """A threshold, which a rule is declared with, as a field; `for` is its alias there."""
    alias = name if name == "for" else None
    return Field(default=RULES[rule].thresholds[name], alias=alias, description=description)


def _for(rule: str) -> Any:
    return _threshold(rule, "for", "both for this share of `steps`.")


def _grace(rule: str) -> Any:
    return _threshold(rule, "grace", "not within this share of `steps`, though.")


class CriticWon(_Rule):
    """Critics that have nothing left to learn."""

    above: Share = _threshold(
        "critic_won", "above", f"Stop a trial whose critics all have an accuracy above this, {STILL};"
    )
    share: Share = _for("critic_won")


class Collapse(_Rule):
    """Outputs that are all alike."""

    below: Share = _threshold(
        "collapse",
        "below",
        "Stop a trial whose outputs differ less than this at two evaluations, in shares of what real pictures "
        f"differ, {STILL};",
    )
    grace: Share = _grace("collapse")


class CriticBlind(_Rule):
    """Critics that know nothing."""

    below: Share = _threshold(
        "critic_blind",
        "below",
        f"Stop a trial whose critics all have an accuracy below this, {STILL} (0.5 is also how a GAN ends well);",
    )
    share: Share = _for("critic_blind")


class Identity(_Rule):
    """Outputs that are their inputs."""

    below: Share = _threshold(
        "identity",
        "below",
        f"Stop a trial whose outputs are nearer than this to their inputs at two evaluations, {STILL}; images in [0, 1];",
    )
    grace: Share = _grace("identity")


class NoGain(_Rule):
    """An objective that stands still."""

    share: Share = _threshold(
        "no_gain", "for", "Stop a trial whose objective has not improved for this share of `steps`."
    )


WORDS: dict[str, bool] = {"on": True, "off": False}


def _read_switch(value: object) -> object:
    """`on` and `off`, for true and false."""
    switched = WORDS.get(value, value) if isinstance(value, str) else value
    if not isinstance(switched, bool):
        raise ValueError(f"must be on or off, not {show(value)}")
    return switched


def _read_rule(value: object) -> object:
    """`on` and `off`, for the thresholds they stand for."""
    switched = WORDS.get(value, value) if isinstance(value, str) else value
    if isinstance(switched, bool):
        return {} if switched else None
    if not isinstance(switched, dict):
        raise ValueError(f"must be on, off or a mapping of thresholds, not {show(value)}")
    return switched


SWITCH = BeforeValidator(_read_switch, json_schema_input_type=bool | Literal["on", "off"])


def _rule(part: Any) -> BeforeValidator:
    return BeforeValidator(_read_rule, json_schema_input_type=part | bool | Literal["on", "off"])


class Stop(Part):
    """By which rules a trial is given up; each may be on, off, or have thresholds of its own."""

    nonfinite: Annotated[bool, SWITCH] = Field(
        default="nonfinite" in UNASKED, description=f"Stop a trial where {RULES['nonfinite'].meaning}."
    )
    critic_won: Annotated[CriticWon | None, _rule(CriticWon)] = Field(
        default=None, description=RULES["critic_won"].meaning
    )
    collapse: Annotated[Collapse | None, _rule(Collapse)] = Field(default=None, description=RULES["collapse"].meaning)
    critic_blind: Annotated[CriticBlind | None, _rule(CriticBlind)] = Field(
        default=None, description=RULES["critic_blind"].meaning
    )
    identity: Annotated[Identity | None, _rule(Identity)] = Field(default=None, description=RULES["identity"].meaning)
    no_gain: Annotated[NoGain | None, _rule(NoGain)] = Field(default=None, description=RULES["no_gain"].meaning)

    def rules(self, objectives: Sequence[tuple[str, str]]) -> Rules:
        """Those in force, with their thresholds. objectives: metric, and "min" or "max"."""
        told = self.model_dump()
        chosen = {name: {} if told[name] is True else told[name] for name in RULES if told[name] not in (None, False)}
        return Rules(chosen, tuple(objectives))


def _read_stop(value: object) -> object:
    """`none` and `default` by their bare names, for the mapping they stand for."""
    if value == "none":
        return dict.fromkeys(UNASKED, False)
    if value == "default":
        return {name: True for name, rule in RULES.items() if rule.safe}
    if not isinstance(value, dict) or not value:
        example = "{collapse: on, no_gain: {for: 0.3}}"
        raise ValueError(f"must be none, default or rules such as {example}, not {show(value)}")
    return value


STOP = BeforeValidator(_read_stop, json_schema_input_type=Stop | Literal["none", "default"])
