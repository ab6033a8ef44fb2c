"""``tradestore copy``."""

import os
from pathlib import Path
from typing import Annotated, Final

from rich.console import Console
from typer import Argument, Option

from tradestore.cli._answers import answer, bar_of
from tradestore.cli._arguments import AsJson
from tradestore.cli._formats import table_of
from tradestore.cli._passwords import url_with_password_of
from tradestore.exceptions import InvalidDatabaseUrl
from tradestore.operations.transfer import TransferProgress, transfer

__all__ = ["copy"]

_VARIABLE: Final = "env:"
_FILE: Final = "A file whose only line is that end's password or key; - asks for it, or reads it from a pipe."


def copy(
    source: Annotated[str, Argument(metavar="SRC", help="URL of the database, or env:NAME of a variable with it.")],
    target: Annotated[str, Argument(metavar="DST", help="Likewise; tables are made where there are none.")],
    merge: Annotated[bool, Option("--merge", help="Add to what the target has, instead of refusing that.")] = False,
    source_password: Annotated[Path | None, Option("--source-password-file", metavar="FILE", help=_FILE)] = None,
    target_password: Annotated[Path | None, Option("--target-password-file", metavar="FILE", help=_FILE)] = None,
    as_json: AsJson = False,
) -> None:
    """Copy a database into another one, of any engine.

    Every row is compared at the end. A copy that was cut short goes on when the same command is given again. Other
    users of the machine can read the words of a command: leave a password out of the URL and name a file with it, or
    put the URL into a variable and write env:NAME.

    Example: tradestore copy sqlite:///tradesv3.sqlite env:POSTGRES_URL
    """
    source_url = url_with_password_of(_url_of(source), source_password, "the source")
    target_url = url_with_password_of(_url_of(target), target_password, "the target")
    with bar_of("Copying rows") as show_progress:

        def tell_progress(now: TransferProgress) -> None:
            show_progress(now.rows, now.total)

        report = transfer(source_url, target_url, merge=merge, progress=tell_progress)

    def show(console: Console) -> None:
        rows = [(each.name, each.rows, each.copied) for each in report.tables]
        console.print(f"{report.source} is in {report.target}, and was compared.")
        console.print(table_of(["table", "rows", "copied"], rows, numbers=["rows", "copied"]))

    answer("copy", report, show, as_json=as_json)


def _url_of(given: str) -> str:
    if not given.startswith(_VARIABLE):
        return given
    name = given.removeprefix(_VARIABLE)
    if not os.environ.get(name):
        msg = f"The environment has no variable {name} with a database URL: set it, such as by export {name}=…"
        raise InvalidDatabaseUrl(msg)
    return os.environ[name]
