"""Servers that keep the names of tables in small letters, as MariaDB and MySQL do on Windows."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from tests.migrations.adopted import opened
from tests.migrations.legacy import (
    LegacyCase,
    contents,
    differences,
    mirrored_rows,
    plain_connection,
    run_id,
    runs_of,
    single_precision,
)
from tests.migrations.mirrored_layer import KEY_VALUES
from tests.migrations.wrecks import strange_engine
from tests.servers import MariaDBServer
from tradestore import KeyValueStore, ModelBase, migrations


class SmallLetters(MariaDBServer):
    """A server that does so."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--lower-case-table-names=1"]


@pytest.fixture(scope="module")
def small_letters() -> Iterator[SmallLetters]:
    """Return such a server, running."""
    server = SmallLetters()
    server.start()
    yield server
    server.stop()


def on_small_letters(*numbers: str) -> pytest.MarkDecorator:
    """Run a test with the named old databases, on one engine."""
    runs = {case.number: (backend, case) for backend, case in runs_of(*numbers)}
    return pytest.mark.parametrize(("backend", "case"), list(runs.values()), indirect=["backend"], ids=run_id)


@pytest.mark.thorough
@on_small_letters("301", "303")
def test_old_database_is_adopted_whole(case: LegacyCase, backend: Any, small_letters: SmallLetters) -> None:
    """It is adopted whole, and is known as up to date from then on."""
    small_letters.create_database()
    url = small_letters.url(backend.scheme)
    case.load(url)
    for value in ("first", "second"):
        with opened(url) as database:
            assert migrations.scan(database.engine).state == migrations.SchemaState.CURRENT
            assert migrations.check(database.engine, ModelBase.metadata) == []
            assert [name for name in migrations.scan(database.engine).steps if "KeyValueStore" in name] == []
            KeyValueStore.store_value("seen", value)
    found = contents(url)
    found[KEY_VALUES] = [row for row in found.pop(KEY_VALUES.lower()) if row["key"] != "seen"]
    assert differences(case.expected_rows, mirrored_rows(found), tolerance=single_precision(url)) == []


@pytest.mark.thorough
@on_small_letters("303")
def test_new_database_is_not_taken_for_an_older_one(
    case: LegacyCase, backend: Any, small_letters: SmallLetters
) -> None:
    """It is not taken for an older one when it is opened again: nothing is built anew."""
    small_letters.create_database()
    url = small_letters.url(backend.scheme)
    for _ in range(2):
        with opened(url) as database:
            KeyValueStore.store_value("seen", 1)
            assert migrations.scan(database.engine).state == migrations.SchemaState.CURRENT
    assert [name for name in contents(url) if "_bak" in name] == []


@on_small_letters("303")
def test_table_whose_name_differs_in_its_letters_is_left_alone(case: LegacyCase, old_url: str) -> None:
    """Where a server tells capital letters from small ones, a user's table of such a name is another table."""
    with strange_engine(old_url).begin() as connection:
        connection.execute(text("CREATE TABLE keyvaluestore (note VARCHAR(20))"))
        connection.execute(text("INSERT INTO keyvaluestore VALUES ('mine')"))
    with opened(old_url):
        assert KeyValueStore.get_value("newest_key") is None
    with plain_connection(old_url) as connection:
        assert connection.scalars(text("SELECT note FROM keyvaluestore")).all() == ["mine"]
    found = mirrored_rows(contents(old_url))
    assert differences(case.expected_rows, found, tolerance=single_precision(old_url)) == []
