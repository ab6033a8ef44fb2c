"""Arguments that several commands have, so that they are called the same everywhere."""

from datetime import datetime
from typing import Annotated, Any, Final

from typer import Option

from tradestore.cli._passwords import url_with_its_password

__all__ = ["DATE", "AsJson", "DatabaseUrl", "Since", "Until", "Yes", "database_option"]

DATE: Final[dict[str, Any]] = {
    "formats": ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
    "metavar": "DATE",
}
"""How a moment is given, everywhere."""


def database_option(meaning: str) -> Any:
    """Return the option that names a database.

    Args:
        meaning: What it is to the command.
    """
    return Option(
        "--db-url", "-d", envvar="TRADESTORE_DB_URL", metavar="URL", callback=url_with_its_password, help=meaning
    )


DatabaseUrl = Annotated[
    str,
    database_option(
        "The database, such as sqlite:///tradesv3.sqlite. Set the variable where the URL has a password: other "
        "users of the machine can read the words of a command."
    ),
]

AsJson = Annotated[bool, Option("--json", help="Print one JSON document for scripts.")]

Yes = Annotated[bool, Option("--yes", "-y", help="Do it without asking.")]

Since = Annotated[
    datetime | None,
    Option(help="From this moment on, such as 2026-03-01 or 2026-03-01T12:00:00 (UTC).", **DATE),
]

Until = Annotated[datetime | None, Option(help="Before this moment, such as 2026-04-01 (UTC).", **DATE)]
