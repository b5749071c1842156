"""The figures in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.core import process_registry
from backend.core.process_registry import Process
from backend.services import health
from backend.services.health import Figures

CONTENT_TYPE = CONTENT_TYPE_LATEST


def render() -> bytes:
    """Everything. With the database or Redis away it says so, and what they would know is missing."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything(health.gather(), process_registry.list_processes()))
    return generate_latest(registry)


class _Everything(Collector):
    def __init__(self, figures: Figures | None, processes: list[Process] | None) -> None:
        self._figures = figures
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("switchboard_up", "Whether a part that the product stands on answers.", labels=["part"])
        up.add_metric(["database"], float(self._figures is not None))
        up.add_metric(["redis"], float(self._processes is not None))
        yield up
        if self._figures is not None:
            yield from _of_figures(self._figures)
        if self._processes is not None:
            yield from _of_processes(self._processes)


def _gauge(name: str, what: str, labels: list[str], values: Iterable[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"switchboard_{name}", what, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def _plain(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"switchboard_{name}", what, value=value)


def _of_figures(figures: Figures) -> Iterator[Metric]:
    yield _gauge(
        "deliveries",
        "Operations that wait for a provider, by lane, state and the reason they wait for.",
        ["lane", "state", "reason"],
        (([group.lane, group.state, group.reason], group.count) for group in figures.deliveries),
    )
    yield _gauge(
        "deliveries_oldest_seconds",
        "How long the oldest of them has been due.",
        ["lane", "state", "reason"],
        (([group.lane, group.state, group.reason], group.oldest) for group in figures.deliveries),
    )
    yield _gauge(
        "operations_last_5m",
        "Operations in the last five minutes: phase started counts tries, the others how some came out.",
        ["operation", "phase"],
        ((list(key), value) for key, value in figures.operations.items()),
    )
    yield _gauge(
        "failures_last_5m",
        "Tries that did not succeed in the last five minutes, by reason code.",
        ["code"],
        (([code], value) for code, value in figures.failures.items()),
    )
    yield _plain("intake_waiting", "Webhook events that wait to be processed.", figures.intake_waiting)
    yield _plain("intake_oldest_seconds", "How long the oldest of them has waited.", figures.intake_oldest)
    yield _plain("intake_parked", "Webhook events that were put aside for an operator.", figures.intake_parked)
    yield _plain("leases_held", "Senders that some process serves now.", figures.leases)
    yield _plain("senders_paused", "Senders whose provider has asked for a rest.", figures.paused)
    yield _gauge(
        "senders",
        "Senders by standing: active, disabled by a person, or the code by which the product disabled them.",
        ["standing"],
        (([state], value) for state, value in figures.senders.items()),
    )
    yield _gauge(
        "heartbeat_age_seconds",
        "How long ago a periodic part last completed.",
        ["part"],
        (([name], age) for name, age in figures.heartbeats.items()),
    )
    yield _gauge(
        "job_runs_last_1h",
        "Entries of the job history begun in the last hour.",
        ["job", "state"],
        ((list(key), value) for key, value in figures.jobs.items()),
    )
    yield _gauge(
        "work_due",
        "Whether a kind of work has something to do.",
        ["work", "queue"],
        ((list(key), float(due)) for key, due in figures.works.items()),
    )
    yield _plain("mail_waiting", "E-mails that wait to be sent.", figures.mail_waiting)
    yield _plain("mail_oldest_seconds", "How long the oldest of them has waited.", figures.mail_oldest)


def _of_processes(processes: list[Process]) -> Iterator[Metric]:
    def of_each(name: str, what: str, value: Any, *, counter: bool = False) -> Metric:
        metric_family = CounterMetricFamily if counter else GaugeMetricFamily
        family: Any = metric_family(f"switchboard_process_{name}", what, labels=["role", "process"])
        for process in processes:
            family.add_metric([process.role, process.name], value(process))
        return family  # type: ignore[no-any-return]

    yield of_each("start_time_seconds", "When the process began, since 1970.", lambda process: process.started)
    yield of_each("cpu_seconds", "Processor time used.", lambda process: process.cpu, counter=True)
    yield of_each("resident_memory_bytes", "Memory resident.", lambda process: process.memory)
    yield of_each("live_connections", "Open live connections.", lambda process: process.live)
