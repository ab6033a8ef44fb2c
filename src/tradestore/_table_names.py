"""Names of tables as the models write them, also where a MariaDB or MySQL server keeps small letters only.

Servers on Windows do, and others with ``lower_case_table_names = 1``: they know the table ``KeyValueStore`` by that
name, but tell of ``keyvaluestore`` when they are asked which tables there are.
"""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Dialect, text

__all__ = ["tell_names_as_modelled"]


def tell_names_as_modelled(dialect: Dialect, modelled: Iterable[str]) -> None:
    """Let whoever asks for the tables of a MariaDB or MySQL server be told the names of the models.

    Args:
        dialect: Of the engine.
        modelled: Names of the models' tables. Tables that are called after one, its backups say, follow it.
    """
    with_capitals = {name.lower(): name for name in modelled if name != name.lower()}
    if not with_capitals:
        return
    pattern = re.compile("|".join(map(re.escape, with_capitals)))
    listed = dialect.get_table_names

    def get_table_names(connection: Connection, *arguments: Any, **options: Any) -> list[str]:
        found = listed(connection, *arguments, **options)
        shown = [pattern.sub(lambda match: with_capitals[match[0]], name) for name in found]
        # Only now, since elsewhere two tables may have names that differ in nothing else.
        return shown if shown != found and _keeps_small_letters(connection) else found

    # SQLAlchemy has no setting for it, and alembic and the inspector ask the dialect as well.
    dialect.get_table_names = get_table_names  # type: ignore[method-assign]


def _keeps_small_letters(connection: Connection) -> bool:
    return bool(connection.scalar(text("SELECT @@lower_case_table_names")) == 1)
