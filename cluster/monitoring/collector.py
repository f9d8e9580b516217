"""From the fold's samples to Prometheus's own families, at the moment of a scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cluster.monitoring.fold import Fold
from cluster.monitoring.series import ALL, Kind, Series

Reading = Callable[[], AbstractContextManager[Fold]]
SWEEP = "sweep"  # the label that all have


class SweepCollector(Collector):
    """Reads the fold when somebody scrapes, and holds nothing in between."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterable[Metric]:
        """Every declared series with its samples. Raises what `reading` does."""
        families = {series: _family(series) for series in ALL}
        with self._reading() as fold:
            sweep = fold.state.id
            for series, labels, value in fold.samples():
                families[series].add_metric([_clean(label) for label in (sweep, *labels)], value)
        return [family for family in families.values() if family.samples]

    def describe(self) -> Iterable[Metric]:
        """Nothing: what is asked for at registration would be read for nothing."""
        return []


def _family(series: Series) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if series.kind is Kind.counter else GaugeMetricFamily
    return kind(series.name, series.help, labels=[SWEEP, *series.labels])


def _clean(text: str) -> str:
    """A log may hold half a character, which no answer can be written with."""
    return text.encode("utf-8", "replace").decode()
