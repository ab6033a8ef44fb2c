"""Servers that may only be read, and others that take their place: a typed error at every door, and no restart."""

import pytest

from tests.faults.doors import Doors
from tests.faults.read_only import read_only
from tradestore import Trade, init_db
from tradestore.exceptions import DatabaseReadOnly


@pytest.mark.needs("networked")
def test_read_only_server(backend, server, database, note) -> None:
    """Every door says that the server takes no changes, reads go on, and so does writing when it takes them again."""
    doors = Doors(database)
    assert set(doors.errors().values()) == {None}
    with read_only(server):
        errors = doors.errors()
        doors.read()
        doors.check()
    assert errors == dict.fromkeys(errors, DatabaseReadOnly)
    assert set(doors.errors().values()) == {None}
    doors.check()
    note("faults", "read-only: every door raised DatabaseReadOnly, reads went on, writes again without a restart")


@pytest.mark.thorough
@pytest.mark.needs("networked")
def test_failover_to_another_server(backend, server, proxy, store_url, note) -> None:
    """A name that leads to another server, while the old one may still be read: the next writes go to the new one."""
    with type(server)() as other:
        other.create_database()
        copy = init_db(other.url(backend.scheme))
        Doors(copy)
        copy.close()
        database = init_db(proxy.url(store_url), pool_size=3)
        try:
            doors = Doors(database)
            with read_only(server):
                errors = doors.errors()
                assert errors == dict.fromkeys(errors, DatabaseReadOnly)
                proxy.target = other.port
                doors.store_in_run()
                assert set(doors.errors().values()) == {None}
            doors.check()
        finally:
            Trade.session.remove()
            database.close()
        reopened = init_db(other.url(backend.scheme))
        doors.check()
        reopened.close()
    note("faults", "failover: from a read-only server to another one, by Database.run without an error or a restart")
