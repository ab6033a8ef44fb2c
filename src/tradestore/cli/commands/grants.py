"""``tradestore grants``."""

from textwrap import wrap
from typing import Annotated, Final

from rich.console import Console
from typer import Option

from tradestore.cli._answers import answer
from tradestore.cli._arguments import AsJson
from tradestore.operations.grants import Role, ServerEngine, least_grants

__all__ = ["grants"]

_COMMENT: Final = 76


def grants(
    engine: Annotated[ServerEngine, Option("--engine", help="The server; mysql is MariaDB as well.")],
    role: Annotated[Role, Option("--role", help="A bot keeps trades, a reader sees them, a backup dumps them.")],
    user: Annotated[str | None, Option("--user", metavar="NAME", help="By default tradestore_ and the role.")] = None,
    database: Annotated[str, Option("--database", metavar="NAME", help="The bot's database.")] = "tradestore",
    owner: Annotated[
        str, Option("--owner", metavar="NAME", help="PostgreSQL: the bot's role, whose tables others read.")
    ] = "tradestore_bot",
    host: Annotated[str, Option("--host", metavar="HOST", help="MariaDB, MySQL: where it logs in from.")] = "127.0.0.1",
    ddl: Annotated[bool, Option("--ddl/--no-ddl", help="Whether the bot may make and change its tables.")] = True,
    as_json: AsJson = False,
) -> None:
    """Print the SQL that gives a role the least rights it needs. Nothing is connected to, nothing is changed.

    Example: tradestore grants --engine postgresql --role reader --database bot
    """
    found = least_grants(engine, role, user=user, database=database, owner=owner, host=host, ddl=ddl)

    def show(console: Console) -> None:
        # Broken into lines by the terminal, a comment would end in the middle.
        for line in wrap(found.afterwards, _COMMENT):
            console.print(f"-- {line}", markup=False)
        for statement in found.statements:
            console.print(f"{statement};", markup=False)

    answer("grants", found, show, as_json=as_json)
