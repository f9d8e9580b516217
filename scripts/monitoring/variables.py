"""The labels that a dashboard's variables choose, as matchers, and addresses of dashboards with them."""

from __future__ import annotations

from collections.abc import Mapping

from scripts.monitoring.promql import Match

ONE_SWEEP: Mapping[str, Match] = {"sweep": "$sweep"}
ONE_TRIAL: Mapping[str, Match] = {"sweep": "$sweep", "trial": ("$trial",)}
KEPT = "${datasource:queryparam}&${sweep:queryparam}&${__url_time_range}"


def address(uid: str, more: str = "") -> str:
    """Of a dashboard with the same data source, sweep and time; more: further variables."""
    return f"/d/{uid}?{KEPT}{more}"
