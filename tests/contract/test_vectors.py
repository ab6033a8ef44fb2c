"""Recorded scenarios with their expected results, on every engine and in memory."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import Table, event

import tradestore
from tests.contract.conftest import FIGURES

FOLDER = Path(__file__).parents[1] / "data" / "vectors"
FILES = sorted(FOLDER.glob("*.json"))


_spec = importlib.util.spec_from_file_location("run_vectors", FOLDER / "run_vectors.py")
assert _spec
assert _spec.loader
run_vectors = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(run_vectors)


class OneStore(run_vectors.World):  # type: ignore[name-defined, misc]  # loaded by path
    """Plays every scenario in an empty store, but opens it only once: most of the time would go there.

    Ids must begin at 1 again, so whatever table had an insert is created anew.
    """

    def __init__(self, db_url: str) -> None:
        super().__init__("tradestore", db_url)
        self.used: set[str] = set()

    def start(self, scenario: Any) -> None:
        if self.engine is None or scenario["backend"] == "memory":
            super().start(scenario)
            if self.engine is not None:
                event.listen(self.engine, "before_cursor_execute", self._note)
            return
        self.vars: dict[str, Any] = {}
        self.expected: dict[str, Any] = {}
        self.clock = time_machine.travel(run_vectors.to_dt(scenario["now"]), tick=False)
        self.coordinates = self.clock.start()
        tradestore.Trade.session.remove()
        tradestore.PairLocks.timeframe = scenario.get("timeframe", "5m")
        self._empty_used()

    def _empty_used(self) -> None:
        tables = [t for t in tradestore.ModelBase.metadata.sorted_tables if self._is_used(t)]
        for table in reversed(tables):
            table.drop(self.engine)
        for table in tables:
            table.create(self.engine)
        self.used.clear()

    def _is_used(self, table: Table) -> bool:
        return table.name in self.used or any(key.column.table.name in self.used for key in table.foreign_keys)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO "):
            self.used.add(statement.split()[2].strip('`"'))


@pytest.fixture
def world(store_url: str) -> Iterator[Any]:
    """Return what plays the scenarios; afterwards the store is closed, and every connection is back."""
    player = OneStore(store_url)
    yield player
    tradestore.enable_database_use()
    if player.engine is not None:
        tradestore.Trade.session.remove()
        database = tradestore.Database(player.engine)
        left = database.pool_status().checked_out
        database.close()
        assert left == 0


def _play(world: Any, file: Path, kind: str, request: pytest.FixtureRequest) -> str:
    """Play the scenarios of one kind, note how many succeeded, and describe what failed."""
    data = json.loads(file.read_text(encoding="utf-8"))
    scenarios = [scenario for scenario in data["scenarios"] if scenario["backend"] == kind]
    faults = {scenario["name"]: world.run(scenario, data.get("fixtures", {})) for scenario in scenarios}
    failed = {name: bad for name, bad in faults.items() if bad}
    request.node.user_properties.append((FIGURES, [len(scenarios) - len(failed), len(scenarios)]))
    return "\n".join(
        f"{name}, step {number} ({step['do']} {step.get('method', '')}) {path}: expected {want!r}, got {got!r}"
        for name, bad in failed.items()
        for number, step, path, want, got in bad
    )


def _has(kind: str) -> pytest.MarkDecorator:
    files = [file for file in FILES if f'"backend": "{kind}"' in file.read_text(encoding="utf-8")]
    return pytest.mark.parametrize("file", files, ids=[file.stem for file in files])


@_has("db")
def test_in_the_database(world: Any, file: Path, request: pytest.FixtureRequest) -> None:
    """Every recorded scenario of a database gives the recorded results."""
    failures = _play(world, file, "db", request)
    assert not failures, failures


@_has("memory")
def test_in_memory(file: Path, request: pytest.FixtureRequest) -> None:
    """Every recorded scenario in memory gives the recorded results."""
    failures = _play(run_vectors.World("tradestore"), file, "memory", request)
    assert not failures, failures


def test_all_scenarios_were_found() -> None:
    """No recorded scenario is lost on the way."""
    kinds = [s["backend"] for file in FILES for s in json.loads(file.read_text(encoding="utf-8"))["scenarios"]]
    assert len(kinds) == 429
    assert set(kinds) == {"db", "memory"}
