"""Kubernetes objects held against what a real API server would hold them against: schemas, strictly, and CEL rules.

Custom kinds by the definitions of their makers, as the API server reads them: defaults first, unknown keys refused, rules
evaluated on each part. Kinds of Kubernetes itself by kubernetes-validate, which has their schemas.
"""

from __future__ import annotations

import copy
import gzip
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cel
import jsonschema
import kubernetes_validate
import yaml
from kubernetes_validate import SchemaNotFoundError, ValidationError

Object = dict[str, Any]
ROOT = Path(__file__).parents[2]
CRDS = ROOT.parent / "shared" / "crds"
VERSION = "1.37"  # of Kubernetes
KEEPS_ALL = "x-kubernetes-preserve-unknown-fields"
RULES = "x-kubernetes-validations"


def missing() -> str:
    """Why custom kinds cannot be checked here, with what to do; empty where they can."""
    if CRDS.is_dir() and any(CRDS.glob("*.gz")):
        return ""
    return (
        f"no definitions of custom kinds in {CRDS}: put CRDs there as *.yaml.gz (kuberay v1.7.0: ray-operator/config/crd/bases, "
        "prometheus-operator: example/prometheus-operator-crd, kueue: config/components/crd/bases)"
    )


class Definition:
    """One version of a custom kind."""

    def __init__(self, crd: Object, version: Object) -> None:
        names, group = crd["spec"]["names"], crd["spec"]["group"]
        self.group, self.version, self.kind = group, version["name"], names["kind"]
        self.plural, self.namespaced = names["plural"], crd["spec"]["scope"] == "Namespaced"
        self.raw = dict(version["schema"]["openAPIV3Schema"])
        self.raw["properties"] = self.raw["properties"] | {"metadata": {"type": "object", KEEPS_ALL: True}}
        self._check = jsonschema.Draft202012Validator(_strict(self.raw))

    def admit(self, given: Object) -> tuple[Object, list[str]]:
        """The object with its defaults, and what is wrong with it."""
        made = _defaulted(copy.deepcopy(given), self.raw)
        wrong = [f"{_place(error.absolute_path)}: {error.message}" for error in self._check.iter_errors(made)]
        return made, wrong + [f"{_place(path)}: {text}" for path, text in _broken(made, self.raw, ())]


@cache
def definitions() -> dict[tuple[str, str], Definition]:
    """(apiVersion, kind) -> definition, of every version that is served."""
    found = {}
    for file in sorted(CRDS.glob("*.yaml.gz")):
        crd = yaml.load(gzip.decompress(file.read_bytes()), Loader=yaml.CSafeLoader)
        for version in crd["spec"]["versions"]:
            if version["served"] and version["name"] != "v1alpha1":
                one = Definition(crd, version)
                found[f"{one.group}/{one.version}", one.kind] = one
    return found


def admit(given: Object) -> tuple[Object, list[str]]:
    """The object as it would be stored, and what is wrong with it: nothing, if it would be."""
    if (known := definitions().get((given["apiVersion"], given["kind"]))) is not None:
        return known.admit(given)
    return given, core_mistakes(given)


def core_mistakes(given: Object) -> list[str]:
    """What is wrong with an object of a kind of Kubernetes itself; an unknown kind is a mistake."""
    try:
        kubernetes_validate.validate(given, VERSION, strict=True)
    except ValidationError as error:
        return [f"{_place(error.path)}: {error.message}"]
    except SchemaNotFoundError:
        return [f"no schema for {given['apiVersion']} {given['kind']}"]
    return []


def _place(path: Any) -> str:
    return ".".join(map(str, path)) or "(whole)"


def _strict(schema: Any) -> Any:
    """The schema as JSON Schema, with every key that is not declared refused."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {name: _strict(one) for name, one in value.items()} if key == "properties" else _strict(value)
        for key, value in schema.items()
        if not key.startswith("x-kubernetes-")
        and key not in ("default", "description", "format", "nullable", "example")
    }
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if isinstance(schema.get("properties"), dict) and not schema.get(KEEPS_ALL):
        made.setdefault("additionalProperties", False)
    if schema.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


def _defaulted(value: Any, schema: Object) -> Any:
    """The value with what the schema supposes where nothing is said; a null that may not be one says nothing."""
    if isinstance(value, dict):
        declared = schema.get("properties", {})
        for key in [key for key, one in value.items() if one is None and not declared.get(key, {}).get("nullable")]:
            del value[key]
        for key, inner in declared.items():
            if key not in value and "default" in inner:
                value[key] = copy.deepcopy(inner["default"])
        further = schema.get("additionalProperties")
        for key, one in value.items():
            inner = declared.get(key, further if isinstance(further, dict) else {})
            value[key] = _defaulted(one, inner)
    elif isinstance(value, list):
        return [_defaulted(one, schema.get("items", {})) for one in value]
    return value


def _broken(value: Any, schema: Object, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """The CEL rules that the value breaks. Those that compare with what was before say nothing of a new object."""
    for rule in schema.get(RULES, ()):
        if "oldSelf" not in rule["rule"] and not cel.evaluate(rule["rule"], {"self": value}):
            yield path, rule.get("message", rule["rule"])
    keys = schema.get("x-kubernetes-list-map-keys", ())
    if isinstance(value, list) and schema.get("x-kubernetes-list-type") == "map":
        seen = [tuple(one.get(key) for key in keys) for one in value]
        yield from ((path, f"twice: {one}") for one in {one for one in seen if seen.count(one) > 1})
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _broken(one, schema.get("items", {}), (*path, number))
    if isinstance(value, dict):
        further = schema.get("additionalProperties")
        for key, one in value.items():
            inner = schema.get("properties", {}).get(key, further if isinstance(further, dict) else {})
            yield from _broken(one, inner, (*path, key))
