"""The least rights that a bot, a reader and a backup need on a server, as the statements that give them.

Nothing is connected to and nothing is changed here: an administrator reads the statements and runs them. They name no
password. A role that they make cannot log in before somebody has set one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from sqlalchemy import URL, Dialect

from tradestore import models  # noqa: F401 - with it, all tables are known
from tradestore._revision_change import NOTE_TABLE
from tradestore._revisions import VERSION_TABLE
from tradestore.base import ModelBase
from tradestore.constants import TRANSFER_TABLE
from tradestore.exceptions import InvalidValue

__all__ = ["Grants", "Role", "ServerEngine", "least_grants"]

ServerEngine = Literal["postgresql", "mysql"]
Role = Literal["bot", "reader", "backup"]

_ROWS: Final = "SELECT, INSERT, UPDATE, DELETE"
_LONGEST: Final = MappingProxyType({"postgresql": 63, "mysql": 80})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """Statements that make a role and give it what it needs.

    Attributes:
        engine: ``postgresql``, or ``mysql`` for MariaDB as well.
        role: What it is for.
        user: Its name.
        database: The database that it may use.
        statements: In their order, each without the semicolon.
        afterwards: What a person has to do then, such as setting a password.
    """

    engine: ServerEngine
    role: Role
    user: str
    database: str
    statements: tuple[str, ...]
    afterwards: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    user: str
    owner: str
    database: str
    account: str
    has_ddl: bool
    quote: Callable[[str], str]

    def tables(self) -> list[str]:
        """Return all names of tables that the library, and models on ``ModelBase``, may use, quoted."""
        passing = [VERSION_TABLE, NOTE_TABLE, TRANSFER_TABLE] if self.has_ddl else []
        return [self.quote(name) for name in [*sorted(ModelBase.metadata.tables), *passing]]


def least_grants(
    engine: ServerEngine,
    role: Role,
    *,
    user: str | None = None,
    database: str = "tradestore",
    owner: str = "tradestore_bot",
    host: str = "127.0.0.1",
    ddl: bool = True,
) -> Grants:
    """Return the statements that give a role the least that it needs.

    Args:
        engine: ``postgresql``, or ``mysql`` for MariaDB as well.
        role: ``bot`` keeps trades; ``reader`` sees all of them and changes nothing; ``backup`` makes dumps.
        user: Its name; by default ``tradestore_`` and the role. Any name may be given, it is quoted.
        database: The database that the bot uses. It has to be there.
        owner: For PostgreSQL: the bot's role, whose later tables the others may read, too.
        host: For MariaDB and MySQL: from where it may log in. The default is this machine over TCP, also where a server
            does not look up names; ``localhost`` is that, or its socket alone where it does not.
        ddl: Whether the bot may make and change its own tables, as upgrades do. Without, somebody else has to run
            ``tradestore upgrade`` first; the tables have to be there.

    Raises:
        InvalidValue: If a name is empty or too long, or the engine or the role is none of these.
    """
    if engine not in get_args(ServerEngine) or role not in get_args(Role):
        msg = f"{engine!r} with the role {role!r} is unknown: use {_choices(ServerEngine)}, and {_choices(Role)}."
        raise InvalidValue(msg)
    user = f"tradestore_{role}" if user is None else user
    for name in (user, database, owner, host):
        if not 0 < len(name) <= _LONGEST[engine] or "\0" in name:
            msg = f"{name!r} is no name: it has to have 1 to {_LONGEST[engine]} characters."
            raise InvalidValue(msg)
    # It doubles percent signs for its driver, which nobody asks here.
    quote = _DIALECTS[engine].identifier_preparer.quote_identifier

    def plain(name: str) -> str:
        return str(quote(name).replace("%%", "%"))

    account = f"{_text(user)}@{_text(host)}" if engine == "mysql" else plain(user)
    wish = _Wish(user=user, owner=owner, database=database, account=account, has_ddl=ddl, quote=plain)
    statements, afterwards = _MAKERS[engine](wish, role)
    return Grants(
        engine=engine, role=role, user=user, database=database, statements=tuple(statements), afterwards=afterwards
    )


def _postgresql(wish: _Wish, role: Role) -> tuple[list[str], str]:
    user, database, quote = wish.account, wish.quote(wish.database), wish.quote
    statements = [
        f"CREATE ROLE {user} LOGIN",
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {database} TO {user}",
        f"GRANT USAGE ON SCHEMA public TO {user}",
    ]
    if role == "bot" and wish.has_ddl:
        statements.append(f"GRANT CREATE ON SCHEMA public TO {user}")
    elif role == "bot":
        statements += [f"GRANT {_ROWS} ON TABLE {table} TO {user}" for table in wish.tables()]
        statements += [
            f"GRANT SELECT ON TABLE {quote(VERSION_TABLE)} TO {user}",
            f"GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA public TO {user}",
        ]
    else:
        of_owner = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(wish.owner)} IN SCHEMA public"
        statements += [
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}",
            f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {user}",
            f"{of_owner} GRANT SELECT ON TABLES TO {user}",
            f"{of_owner} GRANT SELECT ON SEQUENCES TO {user}",
            f"ALTER ROLE {user} SET default_transaction_read_only = on",
        ]
    return (
        statements,
        rf"Run them in the database, as its owner or an administrator, then set a password: \password {user}",
    )


def _mysql(wish: _Wish, role: Role) -> tuple[list[str], str]:
    user, database = wish.account, wish.quote(wish.database)
    # For all of a database, and not for tables, a name is a pattern.
    pattern = wish.quote(wish.database.replace("\\", "\\\\").replace("_", r"\_").replace("%", r"\%"))
    # Locked, since without a password anybody could log in.
    statements = [f"CREATE USER {user} ACCOUNT LOCK"]
    if role == "bot":
        rights = f"{_ROWS}, CREATE, ALTER, DROP, INDEX, REFERENCES" if wish.has_ddl else _ROWS
        statements += [f"GRANT {rights} ON {database}.{table} TO {user}" for table in wish.tables()]
        if not wish.has_ddl:
            # It has to see that tables of unfinished changes are not there; for those there is no other right.
            statements.append(f"GRANT SELECT ON {pattern}.* TO {user}")
    else:
        rights = "SELECT, SHOW VIEW" if role == "reader" else "SELECT, SHOW VIEW, TRIGGER, LOCK TABLES"
        statements.append(f"GRANT {rights} ON {pattern}.* TO {user}")
    return statements, (
        f"Run them as an administrator, then set a password: ALTER USER {user} IDENTIFIED BY '...' ACCOUNT UNLOCK"
    )


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _choices(names: Any) -> str:
    return " or ".join(get_args(names))


_DIALECTS: Final[Mapping[str, Dialect]] = MappingProxyType(
    {"postgresql": URL.create("postgresql").get_dialect()(), "mysql": URL.create("mysql").get_dialect()()}
)
_MAKERS: Final[Mapping[str, Callable[[_Wish, Role], tuple[list[str], str]]]] = MappingProxyType(
    {"postgresql": _postgresql, "mysql": _mysql}
)
