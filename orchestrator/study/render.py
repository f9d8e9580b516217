"""A study's page from its template: one file, nothing fetched, nothing run but what its own policy names by SHA-256.

The template is filled in one go, so that nothing that stands in a title or a file's name is taken for a place to fill.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from orchestrator.report.render import json_in_html

SCRIPTS = ("draw.js", "show.js", "run.js")
PLACE = re.compile(r"\{\{ (\w+) \}\}")


def render(data: Mapping[str, Any], title: str) -> bytes:
    """The page, UTF-8. data: what its scripts read, JSON-able."""
    style, script = _source("study.css"), "\n".join(map(_source, SCRIPTS))
    parts = {
        "title": html.escape(title),
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        "data": json_in_html(data),
    }
    return PLACE.sub(lambda found: parts[found[1]], _source("study.html")).encode()


def _source(name: str) -> str:
    return (files("orchestrator") / "study" / "page" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
