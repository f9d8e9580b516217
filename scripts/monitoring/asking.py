"""Asks a Prometheus over its HTTP interface, and puts values in place of a dashboard's variables as Grafana would.

The surprise is what an answer leaves out: a value that is not finite is a point like any other, and a series that is not there at a
moment has none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from scripts.monitoring.panels import RATE

PATIENCE_S = 30.0  # for an answer
NAME = "__name__"


class NoAnswer(RuntimeError):
    """A Prometheus that is not there, or does not take the question. One line."""


@dataclass(frozen=True)
class Line:
    """One series of an answer: labels without its name, and (seconds since 1970, value)."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def finite(self) -> tuple[tuple[float, float], ...]:
        """The points that can be drawn."""
        return tuple(point for point in self.points if math.isfinite(point[1]))


@dataclass(frozen=True)
class Prometheus:
    """One of them. url: without a slash at its end, such as http://127.0.0.1:9090."""

    url: str

    def now(self, expr: str) -> list[Line]:
        """What an expression comes to at this moment. Raises NoAnswer."""
        return [Line(_labels(one), (_point(one["value"]),)) for one in self._ask("query", query=expr)]

    def at(self, expr: str, moment: float) -> list[Line]:
        """What it came to then, in seconds since 1970. Raises NoAnswer."""
        return [Line(_labels(one), (_point(one["value"]),)) for one in self._ask("query", query=expr, time=moment)]

    def over(self, expr: str, start: float, end: float, step: float) -> list[Line]:
        """What it came to every `step` seconds from `start` to `end`, in seconds since 1970. Raises NoAnswer."""
        found = self._ask("query_range", query=expr, start=start, end=end, step=step)
        return [Line(_labels(one), tuple(map(_point, one["values"]))) for one in found]

    def is_ready(self) -> bool:
        """Whether it answers yet."""
        try:
            with urlopen(f"{self.url}/-/ready", timeout=PATIENCE_S) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def _ask(self, what: str, **fields: object) -> list[Any]:
        try:
            with urlopen(f"{self.url}/api/v1/{what}?{urlencode(fields)}", timeout=PATIENCE_S) as reply:
                told = json.load(reply)
        except HTTPError as error:
            with error:
                raise NoAnswer(f"{self.url}: {_reason(error.read()) or error.reason}") from error
        except (OSError, ValueError) as error:
            raise NoAnswer(f"{self.url} does not answer as a Prometheus does: {error}") from error
        found: list[Any] = told["data"]["result"]
        return found


def filled(expr: str, sweep: str, window: str, trial: str = ".*") -> str:
    """A panel's expression about this sweep, with `window` for rates. trial: a regular expression. All variables are known here."""
    expr = expr.replace(RATE, window).replace("$sweep", sweep).replace("$trial", trial)
    assert "$" not in expr, expr
    return expr


def _labels(one: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in one["metric"].items() if name != NAME}


def _point(value: tuple[float, str]) -> tuple[float, float]:
    return float(value[0]), float(value[1])


def _reason(body: bytes) -> str:
    """What Prometheus itself says of a question that it does not take."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""
