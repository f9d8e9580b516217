"""A report's page from its template: everything in one file, nothing fetched, nothing run but what is named by its hash.

Texts of others (a sweep's name, values, errors) are escaped by the template, and reach the scripts as JSON that no HTML parser
takes for anything else. What still got through could not run: the page's own policy allows the scripts by their SHA-256 alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

SCRIPTS = ("base.js", "tables.js", "curves.js", "settings.js", "timeline.js", "pictures.js")
HTML = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
}  # what means something outside of scripts, as JSON spells it otherwise


def render(parts: Mapping[str, Any], data: Mapping[str, Any]) -> bytes:
    """The page, UTF-8. parts: what the template names. data: what the scripts read, JSON-able."""
    import plotly.offline
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    scripts = [_closed(text) for text in (plotly.offline.get_plotlyjs(), "\n".join(map(_source, SCRIPTS)))]
    macros = environment.get_template("macros.html.j2").module
    page = environment.get_template("page.html.j2").render(
        **parts,
        grid=macros.grid,  # type: ignore[attr-defined]  # a template's macros are its attributes
        listing=macros.listing,  # type: ignore[attr-defined]
        style=_source("page.css"),
        scripts=scripts,
        hashes=" ".join(map(_hash, scripts)),
        data=json_in_html(data),
    )
    return page.encode()


def json_in_html(value: Mapping[str, Any]) -> str:
    """JSON as it may stand within a script element of a page."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for sign, escaped in HTML.items():
        text = text.replace(sign, escaped)
    return text


def _source(name: str) -> str:
    return (files("orchestrator") / "report" / "page" / name).read_text(encoding="utf-8")


def _closed(script: str) -> str:
    """A script that does not end its element early."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
