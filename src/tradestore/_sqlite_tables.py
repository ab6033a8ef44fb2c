"""Giving columns of an SQLite table another type, as SQLite's manual tells to: by a new table that takes its place.

The new table is made by the statement that made the old one, so that whatever else somebody has put into it stays:
columns, checks, collations, keys. Indexes and triggers are made again by their own statements; views, and references
from other tables, go by the table's name and so find the new one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection

from tradestore._sqlite_files import quoted
from tradestore.exceptions import MigrationError

__all__ = ["retype_columns", "retyped"]

_PIECE: Final = re.compile(
    r"""(?P<space>(?:\s+|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$))+)
      | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|'(?:[^']|'')*'|[A-Za-z_\u0080-\U0010ffff][\w$]*)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_CONSTRAINTS: Final = frozenset(
    {"constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references", "generated", "as"}
)


def retype_columns(connection: Connection, table: str, types: Mapping[str, str]) -> None:
    """Replace a table by one that differs in the types of some columns only, with all rows.

    Args:
        connection: In a transaction, with foreign keys off and ``legacy_alter_table`` on, as ``alone`` gives it.
        table: Its name.
        types: The new type by column, such as ``VARCHAR(50)``; of the same affinity, or values would change.

    Raises:
        MigrationError: If foreign keys are on, or the table cannot be understood.
    """
    if _pragma(connection, "foreign_keys") or not _pragma(connection, "legacy_alter_table"):
        msg = f"The table {table!r} can be replaced by tradestore.migrations only, which puts off foreign keys before."
        raise MigrationError(msg)
    statement = _schema(connection, "type = 'table' AND name = ?", table)[0][1]
    companions = _schema(connection, "type IN ('index', 'trigger') AND tbl_name = ? COLLATE NOCASE", table)
    before = _columns(connection, table)
    new = _free_name(connection, table)
    _run(connection, retyped(statement, new, types))
    expected = [(name, types.get(name, kind), *rest) for name, kind, *rest in before]
    if _columns(connection, new) != expected:
        msg = (
            f"The table {table!r} was made by a statement that tradestore cannot read; nothing was changed: {statement}"
        )
        raise MigrationError(msg)
    # Generated columns compute themselves.
    names = ", ".join(quoted(name) for name, *_, hidden in before if not hidden)
    _run(connection, f"INSERT INTO {quoted(new)} ({names}) SELECT {names} FROM {quoted(table)}")  # noqa: S608 - quoted
    sequence = _sequence(connection, table)
    _run(connection, f"DROP TABLE {quoted(table)}")
    _run(connection, f"ALTER TABLE {quoted(new)} RENAME TO {quoted(table)}")
    if sequence is not None:
        _run(connection, "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", sequence, table)
    for _name, made_by in companions:
        _run(connection, made_by)


def retyped(statement: str, name: str, types: Mapping[str, str]) -> str:
    """Return a CREATE TABLE statement with another name of the table and other types of some columns."""
    wanted = {column.lower(): kind for column, kind in types.items()}
    written = [f"CREATE TABLE {quoted(name)} "]
    depth, begins_item, in_type, gap = 0, False, False, ""
    for piece, is_name, is_space in _pieces(statement[_start_of_columns(statement) :]):
        if is_space:
            gap = piece
            continue
        if in_type and depth == 1:
            in_type = not (piece in {",", ")"} or (is_name and piece.lower() in _CONSTRAINTS))
        if not in_type:
            written += [gap, piece]
        gap = ""
        if begins_item and is_name and _plain(piece) in wanted:
            written.append(f" {wanted[_plain(piece)]}")
            in_type = True
        begins_item = (depth, piece) in {(0, "("), (1, ",")}
        depth += (piece == "(") - (piece == ")")
    written.append(gap)
    return "".join(written)


def _start_of_columns(statement: str) -> int:
    position = 0
    for piece, _is_name, _is_space in _pieces(statement):
        if piece == "(":
            return position
        position += len(piece)
    return position


def _pieces(statement: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield what a statement consists of, and whether it is a name (or a text) or space (or a comment)."""
    for match in _PIECE.finditer(statement):
        yield match.group(), match.lastgroup == "name", match.lastgroup == "space"


def _plain(name: str) -> str:
    """Return a name without its quotes, in lower case, as SQLite compares names."""
    if name[0] in "\"`'":
        return name[1:-1].replace(name[0] * 2, name[0]).lower()
    return name.strip("[]").lower()


def _schema(connection: Connection, condition: str, table: str) -> list[tuple[str, str]]:
    query = f"SELECT name, sql FROM sqlite_master WHERE {condition} AND sql IS NOT NULL ORDER BY rowid"  # noqa: S608
    return [(name, made_by) for name, made_by in connection.exec_driver_sql(query, (table,))]


def _columns(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    """Return name, type, whether NULL is refused, default, place in the key and way of generation of each column."""
    return [tuple(row)[1:] for row in connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})")]


def _free_name(connection: Connection, table: str) -> str:
    taken = {name.lower() for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master")}
    name = f"{table}_new"
    while name.lower() in taken:
        name += "_"
    return name


def _sequence(connection: Connection, table: str) -> int | None:
    """Return the last number that a table with AUTOINCREMENT has given out."""
    if not connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").first():
        return None
    row = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).first()
    return None if row is None else row[0]


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


def _run(connection: Connection, statement: str, *parameters: object) -> None:
    connection.exec_driver_sql(statement, parameters)
