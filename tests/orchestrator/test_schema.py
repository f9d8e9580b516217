"""The JSON Schema for editors agrees with what the reader takes."""

import jsonschema
import pytest

from orchestrator.errors import Refusal
from orchestrator.sweep_file.schema import sweep_schema
from orchestrator.sweep_file.sweep import read_sweep
from orchestrator.sweep_file.yaml_file import parse_yaml

LEAST = "system: cyclegan\ndata: {uri: x, image: 64}\nsteps: 20k\n"
SCHEMA = sweep_schema()


def is_valid(text):
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(parse_yaml(text, "x"))


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "more",
    [
        "",
        "trials: 16",
        "budget: {wall: 1h30m}",
        "data2: 1",
        "steps2: 1",
        "scheduler: asha",
        "scheduler: none",
        "scheduler: {asha: {grace: 0.2}}",
        "scheduler: pbt",
        "search: {weights.cyc: {log_uniform: [1, 3]}}",
        "search: {weights.cyc: {loguniform: [1, 3]}}",
        "search: {weights.cyc: {choice: []}}",
        "weights: {cyc: -1}",
        "weights: {cyc: x}",
        "hyper: {blocks: null, gan: lsgan}",
        "balance: {lr_ratio: 2, critic_turns: 1}",
        "balance: {lr_ration: 2}",
        "balance: {target_accuracy: 3}",
        "every: {report: auto, evaluate: 2k}",
        "every: {report: often}",
        "resources: {workers: 4, gpus_per_worker: auto}",
        "seed: -1",
        "exact: 1",
        "budget: {wall: 6}",
        "budget: {wall: null, failures: 0}",
        "objective: {metric: eval/l1}",
        "objective: {mode: min}",
        "evaluation: {samples: 2k, draws: 100}",
        "evaluation: {samples: 1}",
        "evaluation: {draws: 101}",
        "precision: fp16",
    ],
)
def test_it_takes_what_the_reader_takes(more):
    try:
        read_sweep(parse_yaml(LEAST + more, "x"), "x")
    except Refusal:
        assert not is_valid(LEAST + more)
    else:
        assert is_valid(LEAST + more)


def test_every_key_is_described():
    def keys(part):
        yield from part.get("properties", {}).items()
        for definition in part.get("$defs", {}).values():
            yield from keys(definition)

    def described(value):
        definition = value.get("$ref", "").removeprefix("#/$defs/")
        return value.get("description") or SCHEMA["$defs"].get(definition, {}).get("description")

    found = list(keys(SCHEMA)) + list(SCHEMA["properties"]["balance"]["properties"].items())
    assert [name for name, value in found if not described(value)] == []
    assert len(found) > 40
