"""Figures for Prometheus and OpenTelemetry: those of the status, under names that never change."""

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from tests.builders import store, trade
from tradestore import Trade, metrics
from tradestore.exceptions import MissingPackage

NAMES = {
    "tradestore_connections_in_use": "gauge",
    "tradestore_connections_idle": "gauge",
    "tradestore_connections_available": "gauge",
    "tradestore_sessions": "gauge",
    "tradestore_last_commit_timestamp_seconds": "gauge",
    "tradestore_oldest_transaction_seconds": "gauge",
    "tradestore_oldest_writing_seconds": "gauge",
    "tradestore_commits_total": "counter",
    "tradestore_rollbacks_total": "counter",
    "tradestore_retries_total": "counter",
    "tradestore_lock_waits_total": "counter",
    "tradestore_lost_connections_total": "counter",
    "tradestore_slow_statements_total": "counter",
    "tradestore_errors_total": "counter",
}


def _fail() -> None:
    with pytest.raises(Exception, match=r"(?i)no_such_table"):
        Trade.session.execute(text("SELECT 1 FROM no_such_table"))
    Trade.rollback()


def _scraped(registry: CollectorRegistry) -> dict[str, float]:
    """Return what Prometheus reads, by the name and the labels besides the database's."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.labels.get("database") for sample in samples)
    return {
        "/".join([each.name, *([each.labels["kind"]] if "kind" in each.labels else [])]): each.value for each in samples
    }


def _exported(reader: InMemoryMetricReader) -> dict[str, float]:
    data: Any = reader.get_metrics_data()
    found: dict[str, float] = {}
    for resource in data.resource_metrics if data else ():
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            for point in metric.data.data_points:
                found["/".join([metric.name, *filter(None, [point.attributes.get("kind")])])] = point.value
    return found


def test_names_are_as_they_were() -> None:
    """Whoever has made a dashboard finds the same figures after an upgrade."""
    assert {each.prometheus_name: each.kind for each in metrics.METRICS} == NAMES
    assert len({each.opentelemetry_name for each in metrics.METRICS}) == len(NAMES)


def test_prometheus_reads_what_happened(database) -> None:
    """Two commits, one rollback and one error more than before are told, in the text that Prometheus reads."""
    registry = CollectorRegistry()
    metrics.register(database, registry=registry)
    before = _scraped(registry)
    store(trade())
    store(trade(pair="ETH/USDT"))
    Trade.session.add(trade())
    Trade.session.flush()
    Trade.rollback()
    _fail()
    after = _scraped(registry)
    assert {
        name: after[name] - before.get(name, 0) for name in NAMES if name.endswith("_total") and name in before
    } == {
        "tradestore_commits_total": 2,
        "tradestore_rollbacks_total": 1,
        "tradestore_retries_total": 0,
        "tradestore_lock_waits_total": 0,
        "tradestore_lost_connections_total": 0,
        "tradestore_slow_statements_total": 0,
    }
    assert sum(value for name, value in after.items() if name.startswith("tradestore_errors_total/")) == 1
    assert after["tradestore_last_commit_timestamp_seconds"] == database.status().last_commit.timestamp()
    assert after["tradestore_oldest_transaction_seconds"] == 0


def test_two_registries_and_a_taken_name(database) -> None:
    """Nothing is registered by itself; a registry refuses the same names twice, and forgets them on request."""
    first, second = CollectorRegistry(), CollectorRegistry()
    collector = metrics.register(database, registry=first, database="live")
    assert 'database="live"' in generate_latest(first).decode()
    assert generate_latest(second) == b""
    with pytest.raises(ValueError, match="Duplicated"):
        metrics.register(database, registry=first)
    first.unregister(collector)
    assert generate_latest(first) == b""


def test_opentelemetry_reads_the_same(database) -> None:
    """With the names and units of its own."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    instruments = metrics.instrument(database, provider)
    before = _exported(reader)
    store(trade())
    _fail()
    after = _exported(reader)
    assert after["tradestore.commits"] == before["tradestore.commits"] + 1
    assert sum(value for name, value in after.items() if name.startswith("tradestore.errors/")) == 1
    assert after["tradestore.connections_in_use"] == database.status().checked_out
    instruments.close()
    assert _exported(reader) == {}
    provider.shutdown()


def test_closed_store_has_no_figures(database) -> None:
    """Neither of them tells what was."""
    registry, reader = CollectorRegistry(), InMemoryMetricReader()
    provider = MeterProvider([reader])
    metrics.register(database, registry=registry)
    metrics.instrument(database, provider)
    Trade.session.remove()
    database.close()
    assert generate_latest(registry) == b""
    assert _exported(reader) == {}
    provider.shutdown()


def test_missing_package_is_named(database, monkeypatch) -> None:
    """With the command that installs it."""
    for name in ("prometheus_client", "prometheus_client.core", "opentelemetry", "opentelemetry.metrics"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackage, match=r"prometheus_client.*tradestore\[metrics\]"):
        metrics.register(database)
    with pytest.raises(MissingPackage, match=r"opentelemetry.*tradestore\[metrics\]"):
        metrics.instrument(database)


def test_nothing_is_loaded_before_it_is_used() -> None:
    """Neither by the package nor by the module itself."""
    program = "import tradestore.metrics, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"prometheus_client", "opentelemetry"} & set(loaded)
