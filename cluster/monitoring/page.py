"""docs/metrics.md, made from the declaration."""

from __future__ import annotations

from cluster.job import METRICS_PORT
from cluster.monitoring.series import GROUPS, Counted, Kind, Series

HEAD = f"""# Metrics

What the driver of a sweep exports, on port {METRICS_PORT} unless told otherwise; [monitoring](monitoring.md) tells how to
scrape it. This page is made from the declaration in `cluster/monitoring/series.py` (`python -m scripts.metrics_page`).

Every series has the label `sweep`, the sweep's id; `i2i_sweep_info` has its name. A series with the label `trial` is of one
trial, and is there from its first start to its end; sums over all trials stay. Counters are folded from the sweep's log: they
go on where they stopped when another driver takes the sweep up. Those marked *course* count a step once, however often it was
trained; those marked *attempt* add up what each worker process counted, as far as it was reported.
"""


def page() -> str:
    """The page."""
    parts = [HEAD]
    for title, group in GROUPS.items():
        parts.append(f"\n## {title}\n\n| name | type | labels | meaning |\n| --- | --- | --- | --- |\n")
        parts += [_row(series) for series in group]
    return "".join(parts)


def _row(series: Series) -> str:
    labels = ", ".join(f"`{label}`" for label in series.labels)
    counted = f", *{series.counted}*" if series.kind is Kind.counter and series.counted is not Counted.last else ""
    values = ", ".join(f"`{value}`" for value, *_ in filter(None, series.known))
    told = f" `{series.labels[-1]}`: {values}." if values else ""
    return f"| `{series.name}` | {series.kind}{counted} | {labels} | {series.help}{told} |\n"
