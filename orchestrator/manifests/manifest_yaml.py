"""Manifests as YAML that people read: keys in their order, no anchors, long texts as they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out again, and texts of several lines as blocks."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def to_yaml(manifests: Iterable[Any]) -> str:
    """The documents, separated by `---`."""
    return "---\n".join(
        yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True) for manifest in manifests
    )
