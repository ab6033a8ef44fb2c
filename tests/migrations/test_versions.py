"""Old databases of the versions between the recorded ones: each becomes what the documented rules say."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from tests.migrations.adopted import Adoptions, listening, opened, shape_of
from tests.migrations.documented_rules import expected_by_rules
from tests.migrations.legacy import (
    LegacyCase,
    Rows,
    contents,
    differences,
    is_kept,
    mirrored_rows,
    run_id,
    runs_of,
    single_precision,
)
from tests.migrations.mirrored_layer import start
from tests.migrations.mirrored_tables import TABLES
from tests.migrations.rescued import see_it_goes_on
from tests.migrations.server_versions import MARIADB, POSTGRESQL
from tests.migrations.versions import DAYS_BETWEEN, RELEASES, Version, on_versions
from tests.migrations.wrecks import strange_engine
from tradestore import ModelBase, Trade, migrations

OFTEN = {"lineage with all counters", "2022.2 spot", "2024.8 before record versions", "2022.4 shorts"}
"""What is most likely met on servers."""
SERVERS = [version for version in (*POSTGRESQL, *MARIADB) if version.name in OFTEN]


def ignores_case(url: str) -> bool:
    """Say whether LIKE on the engine takes a capital letter for a small one."""
    return not url.startswith("postgresql")


@pytest.mark.parametrize(
    ("backend", "case"),
    runs_of("001", "013", "023", "036", "041", "101", "106", "203"),
    indirect=["backend"],
    ids=run_id,
)
def test_rules_say_what_the_expected_files_say(case: LegacyCase, old_url: str) -> None:
    """The rules of these tests are right where a recorded database shows what they come to."""
    found = expected_by_rules(contents(old_url), ignores_case=ignores_case(old_url))
    assert differences(case.expected_rows, found) == []


@on_versions(*RELEASES, *SERVERS)
def test_version_between_the_recorded_ones(
    version: Version, store_url: str, backend, adoptions: Adoptions, server_or_none
) -> None:
    """Every row is as the rules say, nothing is lost, the tables are those of a new database, and it stays so."""
    see_adoption(version, store_url, adoptions.fresh(backend, server_or_none))


@pytest.mark.thorough
@on_versions(*DAYS_BETWEEN, *(version for version in (*POSTGRESQL, *MARIADB) if version not in SERVERS))
def test_version_that_few_had(version: Version, store_url: str, backend, adoptions: Adoptions, server_or_none) -> None:
    """So it is with what only those have who followed the development, or whose server is another one."""
    see_adoption(version, store_url, adoptions.fresh(backend, server_or_none))


@pytest.mark.thorough
@on_versions(*RELEASES, *POSTGRESQL, *MARIADB)
@pytest.mark.parametrize("starts", [1, 2])
def test_version_after_starts_of_the_mirrored_layer(version: Version, store_url: str, starts: int) -> None:
    """Whether these failed or succeeded: the same rows come out, but for the stakes that a success makes too small."""
    version.load(store_url)
    expected = expected_by_rules(contents(store_url), ignores_case=ignores_case(store_url))
    for _ in range(starts):
        start(strange_engine(store_url))
    with opened(store_url) as database:
        assert migrations.check(database.engine, ModelBase.metadata) == []
    found = differences(expected, mirrored_rows(contents(store_url)), tolerance=single_precision(store_url))
    assert [each for each in found if "max_stake_amount" not in each] == []
    see_it_goes_on(store_url)


def see_adoption(version: Version, url: str, fresh: str) -> None:
    """Open a version, and check all that is promised; *fresh* is a new database."""
    version.load(url)
    before = contents(url)
    with opened(url) as database:
        assert migrations.check(database.engine, ModelBase.metadata) == []
    after = contents(url)
    expected = expected_by_rules(before, ignores_case=ignores_case(url))
    tolerance = single_precision(url)
    assert differences(expected, mirrored_rows(after), tolerance=tolerance) == []
    assert [name for name, rows in before.items() if not is_kept(name, rows, after, tolerance)] == []
    assert [name for name in before.keys() - TABLES.keys() if after.get(name) != before[name]] == []
    assert shape_of(url) == shape_of(fresh)
    see_nothing_changes(url, expected)
    see_it_goes_on(url)


def see_nothing_changes(url: str, expected: Mapping[str, Rows]) -> None:
    """Start again, tell of all trades, compute their profits and save them: no row is another one afterwards."""
    before = contents(url)
    with listening() as log, opened(url):
        trades = Trade.get_trades().all()
        told: list[dict[str, Any]] = [json.loads(json.dumps(trade.to_json())) for trade in trades]
        profits = [trade.calc_profit(trade.close_rate or trade.open_rate) for trade in trades]
        Trade.commit()
    assert contents(url) == before
    assert [line for line in log if "migration" in line] == []
    assert sorted(each["trade_id"] for each in told) == [row["id"] for row in expected["trades"]]
    assert all(map(math.isfinite, profits))
