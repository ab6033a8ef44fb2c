"""What each engine can do: a test asks for a capability and never for an engine's name.

`@pytest.mark.needs("persistent", "row_locks")` runs a test only on the engines that have both; a
test with the fixture `backend` may also read a capability and expect accordingly.
"""

from dataclasses import dataclass

from tests.servers import MariaDBServer, PostgresServer, Server

__all__ = ["BACKENDS", "Backend"]


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An engine and a driver that the store is tested with.

    Attributes:
        id: Name in test ids and for `--engines`.
        scheme: What stands before `://` in the URL.
        server: The private server to start, None for a library inside the process.
        persistent: What was committed is there for another connection, process or day.
        row_locks: Two transactions may write at the same time, and so wait for each other or deadlock.
        transactional_ddl: A transaction that is rolled back takes its schema changes along.
        checks_types: The engine itself refuses a text that is too long or not of the column's type.
        counts_rows: The engine keeps statistics for its planner by itself, without being told to.
        views_hold_columns: A column that a view reads cannot be given another type.
        first_driver: None above is the same engine by another driver: enough where drivers make no difference.
        keeps_infinity: A number may be infinite.
        sequences: Ids come from sequences, which have names of their own and know nothing of ids that are there.
        sets_durability: Each connection chooses whether a commit waits for the disk; else the server's operator does.
        sets: It has columns of any number of words out of a list.
        schemas: A database has several, and a table may refer to one in another.
    """

    id: str
    scheme: str
    server: type[Server] | None = None
    persistent: bool = True
    row_locks: bool = True
    transactional_ddl: bool = True
    checks_types: bool = True
    counts_rows: bool = True
    views_hold_columns: bool = False
    first_driver: bool = True
    keeps_infinity: bool = True
    sequences: bool = False
    sets_durability: bool = True
    sets: bool = False
    schemas: bool = False

    @property
    def networked(self) -> bool:
        """Whether a server is asked over a connection that can be lost."""
        return self.server is not None

    @property
    def one_writer(self) -> bool:
        """Whether a transaction that writes keeps all others from writing."""
        return not self.row_locks

    @property
    def in_process(self) -> bool:
        """Whether the engine is a library, so that a statement is a call and no journey."""
        return not self.networked

    def is_one_of(self, names: list[str]) -> bool:
        """Say whether *names* has this engine's id or its first word, as in `sqlite` for `sqlite-file`."""
        return self.id in names or self.id.partition("-")[0] in names


BACKENDS = (
    Backend(
        id="sqlite-memory", scheme="sqlite", persistent=False, row_locks=False, checks_types=False, counts_rows=False
    ),
    Backend(id="sqlite-file", scheme="sqlite", row_locks=False, checks_types=False, counts_rows=False),
    Backend(
        id="postgresql-psycopg2",
        scheme="postgresql",
        server=PostgresServer,
        views_hold_columns=True,
        sequences=True,
        schemas=True,
    ),
    Backend(
        id="postgresql-psycopg",
        scheme="postgresql+psycopg",
        server=PostgresServer,
        views_hold_columns=True,
        first_driver=False,
        sequences=True,
        schemas=True,
    ),
    Backend(
        id="mysql",
        scheme="mysql",
        server=MariaDBServer,
        transactional_ddl=False,
        keeps_infinity=False,
        sets_durability=False,
        sets=True,
    ),
    Backend(
        id="mariadb",
        scheme="mariadb",
        server=MariaDBServer,
        transactional_ddl=False,
        keeps_infinity=False,
        sets_durability=False,
        first_driver=False,
        sets=True,
    ),
)
