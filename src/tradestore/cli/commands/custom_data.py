"""``tradestore custom-data``: what strategies remember about a trade."""

import json
from typing import Annotated, Any

from rich.console import Console
from typer import Argument, BadParameter, Option, Typer

from tradestore.cli._answers import answer, confirmed
from tradestore.cli._arguments import AsJson, DatabaseUrl, Yes
from tradestore.cli._formats import table_of
from tradestore.operations.remembered import delete_custom_value, list_custom_values, set_custom_value

__all__ = ["app"]

app = Typer(help="See and change what strategies remember about a trade.", rich_markup_mode=None)

_TradeId = Annotated[int, Argument(metavar="TRADE", help="The trade's number, see tradestore trades.")]
_Key = Annotated[str, Argument(help="Its name, without regard to case.")]


@app.command("list")
def list_all(trade_id: _TradeId, db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """List all that is remembered about a trade.

    Example: tradestore custom-data list 2 --db-url sqlite:///tradesv3.sqlite
    """
    found = list_custom_values(db_url, trade_id)

    def show(console: Console) -> None:
        rows = [(each.key, each.type, json.dumps(each.value, ensure_ascii=False), each.set_at) for each in found]
        console.print(table_of(["key", "type", "value", "set"], rows))

    answer("custom-data list", found, show, as_json=as_json)


@app.command()
def get(trade_id: _TradeId, key: _Key, db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """Print one value, as JSON.

    Example: tradestore custom-data get 2 target --db-url sqlite:///tradesv3.sqlite
    """
    (found,) = list_custom_values(db_url, trade_id, key)
    answer("custom-data get", found, lambda console: console.print(json.dumps(found.value)), as_json=as_json)


@app.command("set")
def set_one(
    trade_id: _TradeId,
    key: _Key,
    value: Annotated[str, Argument(help="JSON, such as 25.5 or true; anything else is a text.")],
    db_url: DatabaseUrl,
    is_text: Annotated[bool, Option("--text", help="Take the value as a text, whatever it looks like.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remember a value, in place of what the key had before.

    Example: tradestore custom-data set 2 target 26.5 --yes --db-url sqlite:///tradesv3.sqlite
    """
    new = value if is_text else _read(value)
    confirmed([_change(before=_now(db_url, trade_id, key), key=key, trade_id=trade_id, new=new)], yes=yes)
    set_custom_value(db_url, trade_id, key, new)
    (found,) = list_custom_values(db_url, trade_id, key)
    answer("custom-data set", found, lambda console: console.print(f"{key} is set."), as_json=as_json)


@app.command()
def delete(
    trade_id: _TradeId,
    db_url: DatabaseUrl,
    key: Annotated[str | None, Argument(help="Its name, without regard to case.")] = None,
    everything: Annotated[bool, Option("--all", help="All that is remembered about the trade.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget one value, or all of them.

    Example: tradestore custom-data delete 2 target --yes --db-url sqlite:///tradesv3.sqlite
    """
    if (key is None) is not everything:
        msg = "Give the name of a value, or --all."
        raise BadParameter(msg)
    found = list_custom_values(db_url, trade_id, key)
    if found:
        confirmed([f"forget {each.key}, which is {json.dumps(each.value)}" for each in found], yes=yes)
        delete_custom_value(db_url, trade_id, key)
    answer(
        "custom-data delete", found, lambda console: console.print(f"Values forgotten: {len(found)}."), as_json=as_json
    )


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _now(db_url: str, trade_id: int, key: str) -> Any:
    found = [each for each in list_custom_values(db_url, trade_id) if each.key.casefold() == key.casefold()]
    return json.dumps(found[0].value) if found else None


def _change(*, before: str | None, key: str, trade_id: int, new: Any) -> str:
    was = "which was not there" if before is None else f"which was {before}"
    return f"set {key} of trade {trade_id}, {was}, to {json.dumps(new)}"
