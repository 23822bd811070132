"""Families of metrics, as the exposition has them: a name with its unit, a help text, samples."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from daemon.heartbeat import Histogram

Number = Decimal | float | int
Samples = Mapping[Any, Number] | Iterable[tuple[tuple[str, ...], Number | None]]
"""Numbers by the value of the one label, a text; or by the values of all."""


def gauge(name: str, help_text: str, value: Number | datetime | None) -> Metric:
    """Return a family of one sample; of none where the value is not known. Times are in seconds."""
    family = GaugeMetricFamily(name, help_text)
    if isinstance(value, datetime):
        value = value.timestamp()
    if value is not None:
        family.add_metric((), float(value))
    return family


def gauges(name: str, help_text: str, labels: Sequence[str], samples: Samples) -> Metric:
    """Return a family with a sample for each value of its labels; what is None is left out."""
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for values, number in _pairs(samples):
        if number is not None:
            family.add_metric(values, float(number))
    return family


def counter(name: str, help_text: str, value: Number | None) -> Metric:
    """Return a counter of one sample; of none where it is not known."""
    family = CounterMetricFamily(name, help_text)
    if value is not None:
        family.add_metric((), float(value))
    return family


def counters(name: str, help_text: str, labels: Sequence[str], samples: Samples) -> Metric:
    """Return a counter with a sample for each value of its labels."""
    family = CounterMetricFamily(name, help_text, labels=labels)
    for values, number in _pairs(samples):
        if number is not None:
            family.add_metric(values, float(number))
    return family


def histogram(name: str, help_text: str, found: Histogram | None) -> Metric:
    """Return a histogram as the daemon counted it; of no sample where there is none."""
    family = HistogramMetricFamily(name, help_text)
    if found is None or len(found.counts) != len(found.bounds_s) + 1:
        return family
    buckets, reached = [], 0
    for bound, count in zip((*map(str, found.bounds_s), "+Inf"), found.counts, strict=True):
        reached += count
        buckets.append((bound, reached))
    family.add_metric((), buckets, found.sum_s)
    return family


def _pairs(samples: Samples) -> Iterable[tuple[tuple[str, ...], Number | None]]:
    if isinstance(samples, Mapping):
        return [((name,), number) for name, number in samples.items()]
    return samples
