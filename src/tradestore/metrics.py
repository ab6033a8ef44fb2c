"""How a store is doing, for Prometheus and for OpenTelemetry: the figures of ``Database.status()`` under stable names.

from prometheus_client import start_http_server
from tradestore import init_db, metrics

metrics.register(init_db("sqlite:///tradesv3.sqlite"))
start_http_server(9100)

Nothing is registered anywhere unless it is asked for, and no figure costs a question to the database.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tradestore._extras import load_extra
from tradestore.database import Database, DatabaseStatus

__all__ = ["METRICS", "Instruments", "Metric", "MetricKind", "PrometheusCollector", "instrument", "register"]

_EXTRA: Final = "metrics"
_KIND_LABEL: Final = "kind"


class MetricKind(StrEnum):
    """How a figure behaves."""

    GAUGE = "gauge"
    """It goes up and down."""
    COUNTER = "counter"
    """It goes up only, from 0 at ``init_db``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure of a store. Its names, its unit and its labels stay as they are.

    Attributes:
        name: In words apart by underscores.
        kind: How it behaves.
        unit: Of its values, as OpenTelemetry writes it.
        text: What it means.
        read: Takes it from the status: a number, None where there is none now, or numbers by the label ``kind``.
    """

    name: str
    kind: MetricKind
    unit: str
    text: str
    read: Callable[[DatabaseStatus], float | Mapping[str, int] | None]

    @property
    def prometheus_name(self) -> str:
        """The name in Prometheus, which has the unit of seconds and the ending of counters in it."""
        unit = "_seconds" if self.unit == "s" else ""
        return f"tradestore_{self.name}{unit}{'_total' if self.kind is MetricKind.COUNTER else ''}"

    @property
    def opentelemetry_name(self) -> str:
        """The name in OpenTelemetry."""
        return f"tradestore.{self.name}"

    def samples(self, status: DatabaseStatus) -> Sequence[tuple[Mapping[str, str], float]]:
        """Return the values with the labels that tell them apart."""
        found = self.read(status)
        if found is None:
            return []
        if isinstance(found, Mapping):
            return [({_KIND_LABEL: kind}, count) for kind, count in found.items()]
        return [({}, found)]


def _gauge(name: str, unit: str, text: str, read: Callable[[DatabaseStatus], float | None]) -> Metric:
    return Metric(name=name, kind=MetricKind.GAUGE, unit=unit, text=text, read=read)


def _counter(
    name: str, unit: str, text: str, read: Callable[[DatabaseStatus], float | Mapping[str, int] | None]
) -> Metric:
    return Metric(name=name, kind=MetricKind.COUNTER, unit=unit, text=text, read=read)


METRICS: Final[Sequence[Metric]] = (
    _gauge("connections_in_use", "{connection}", "Connections in use.", lambda status: status.checked_out),
    _gauge("connections_idle", "{connection}", "Connections that are open and wait.", lambda status: status.idle),
    _gauge(
        "connections_available",
        "{connection}",
        "Connections that may be had before somebody has to wait.",
        lambda status: status.available,
    ),
    _gauge("sessions", "{session}", "Threads and requests that have a session.", lambda status: status.sessions),
    _gauge(
        "last_commit_timestamp",
        "s",
        "When the last transaction was stored, since 1970 in UTC; absent before the first.",
        lambda status: None if status.last_commit is None else status.last_commit.timestamp(),
    ),
    _gauge(
        "oldest_transaction",
        "s",
        "Age of the oldest open transaction; 0 without one.",
        lambda status: status.oldest_transaction or 0.0,
    ),
    _gauge(
        "oldest_writing",
        "s",
        "Age of the oldest open transaction that has changed something; 0 without one.",
        lambda status: status.oldest_writing or 0.0,
    ),
    _counter("commits", "{transaction}", "Transactions that stored something.", lambda status: status.commits),
    _counter(
        "rollbacks",
        "{transaction}",
        "Transactions that gave up what they had written.",
        lambda status: status.rollbacks,
    ),
    _counter("retries", "{attempt}", "Attempts and reads that were repeated.", lambda status: status.retries),
    _counter("lock_waits", "{lock}", "Locks that were waited for in vain.", lambda status: status.lock_waits),
    _counter("lost_connections", "{connection}", "Connections that were lost.", lambda status: status.lost_connections),
    _counter(
        "slow_statements",
        "{statement}",
        "Statements that took longer than the option slow_statement allows.",
        lambda status: status.slow_statements,
    ),
    _counter("errors", "{error}", "Errors that were raised, by the name of their class.", lambda status: status.errors),
)
"""All figures, in the order in which they are told."""


class PrometheusCollector:
    """What a registry of prometheus-client asks for the figures of a store."""

    def __init__(self, store: Database, *, database: str | None = None) -> None:
        """Take a store; the collector is to be registered, see :func:`register`.

        Args:
            store: That is open. When it is closed, it has no figures any more.
            database: The value of the label ``database``; by default the name of the database or of its file.

        Raises:
            MissingPackage: If prometheus-client is not installed.
        """
        self._core = load_extra("prometheus_client.core", _EXTRA)
        self._store = store
        self._database = _name_of(store) if database is None else database

    def describe(self) -> Iterator[Any]:
        """Return the figures without values, so that a registry can tell whether names are taken."""
        return (self._family(metric) for metric in METRICS)

    def collect(self) -> Iterator[Any]:
        """Return the figures as they are now."""
        if not self._store.is_open:
            return
        status = self._store.status()
        for metric in METRICS:
            family = self._family(metric)
            for labels, value in metric.samples(status):
                family.add_metric([self._database, *labels.values()], value)
            yield family

    def _family(self, metric: Metric) -> Any:
        core = self._core
        kind = core.GaugeMetricFamily if metric.kind is MetricKind.GAUGE else core.CounterMetricFamily
        labels = ["database", *([_KIND_LABEL] if metric.name == "errors" else [])]
        return kind(metric.prometheus_name, metric.text, labels=labels)


def register(store: Database, *, registry: Any = None, database: str | None = None) -> PrometheusCollector:
    """Let a registry of prometheus-client tell the figures of a store.

    Args:
        store: That is open.
        registry: Which one; by default the one that ``start_http_server`` serves. Two stores need one each, or one
            label ``database`` each in registries of their own.
        database: The value of the label ``database``; by default the name of the database or of its file.

    Returns:
        What to give to ``registry.unregister`` when the store is closed.

    Raises:
        MissingPackage: If prometheus-client is not installed.
        ValueError: If the registry has figures of these names already.
    """
    collector = PrometheusCollector(store, database=database)
    chosen = load_extra("prometheus_client", _EXTRA).REGISTRY if registry is None else registry
    chosen.register(collector)
    return collector


class Instruments:
    """The figures of a store as instruments of OpenTelemetry, which ask for them whenever they are exported."""

    def __init__(self, store: Database, meter: Any, observation: Any, database: str) -> None:
        """Make the instruments; :func:`instrument` does this."""
        self._store, self._observation, self._database = store, observation, database
        self._is_closed = False
        for metric in METRICS:
            is_gauge = metric.kind is MetricKind.GAUGE
            create = meter.create_observable_gauge if is_gauge else meter.create_observable_counter
            create(metric.opentelemetry_name, [self._observer(metric)], unit=metric.unit, description=metric.text)

    def close(self) -> None:
        """Tell nothing any more. Instruments cannot be taken out of a meter, but they can be silent."""
        self._is_closed = True

    def _observer(self, metric: Metric) -> Callable[[Any], list[Any]]:
        def observe(_options: Any) -> list[Any]:
            if self._is_closed or not self._store.is_open:
                return []
            samples = metric.samples(self._store.status())
            return [self._observation(value, {"database": self._database, **labels}) for labels, value in samples]

        return observe


def instrument(store: Database, meter_provider: Any = None, *, database: str | None = None) -> Instruments:
    """Let OpenTelemetry tell the figures of a store.

    Args:
        store: That is open. When it is closed, it has no figures any more.
        meter_provider: Whose meter is used; by default the global one.
        database: The value of the attribute ``database``; by default the name of the database or of its file.

    Returns:
        The instruments, to be closed when they are to be silent.

    Raises:
        MissingPackage: If opentelemetry-api is not installed.
    """
    api = load_extra("opentelemetry.metrics", _EXTRA)
    provider = api.get_meter_provider() if meter_provider is None else meter_provider
    meter = provider.get_meter("tradestore", version("tradestore"))
    return Instruments(store, meter, api.Observation, _name_of(store) if database is None else database)


def _name_of(store: Database) -> str:
    name = store.engine.url.database
    return Path(name).name if name else "memory"
