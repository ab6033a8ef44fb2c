"""``tradestore kv``: what the bot remembers."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from typer import Argument, BadParameter, Option, Typer

from tradestore._clock import as_utc
from tradestore.cli._answers import answer, confirmed
from tradestore.cli._arguments import AsJson, DatabaseUrl, Yes
from tradestore.cli._formats import table_of
from tradestore.exceptions import InvalidValue
from tradestore.key_value_store import ValueTypes, ValueTypesEnum
from tradestore.operations.remembered import delete_value, list_values, set_value

__all__ = ["app"]

app = Typer(help="See and change what the bot remembers.", rich_markup_mode=None)

_Key = Annotated[str, Argument(help="Its name.")]


@app.command("list")
def list_all(db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """List all values.

    Example: tradestore kv list --db-url sqlite:///tradesv3.sqlite
    """
    found = list_values(db_url)
    rows = [(key, _type_of(value), _text_of(value)) for key, value in found.items()]
    answer("kv list", found, lambda console: console.print(table_of(["key", "type", "value"], rows)), as_json=as_json)


@app.command()
def get(key: _Key, db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """Print one value.

    Example: tradestore kv get bot_start_time --db-url sqlite:///tradesv3.sqlite
    """
    value = _value_of(db_url, key)
    answer("kv get", _entry(key, value), lambda console: console.print(_text_of(value)), as_json=as_json)


@app.command("set")
def set_one(
    key: _Key,
    value: Annotated[str, Argument(help="A date as 2026-03-01T12:00:00 (UTC), a bool as true or false.")],
    db_url: DatabaseUrl,
    value_type: Annotated[
        ValueTypesEnum | None, Option("--type", help="Of the value; without it that which the key has, or str.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remember a value, in place of what the key had before.

    Example: tradestore kv set paused true --type bool --yes --db-url sqlite:///tradesv3.sqlite
    """
    known = list_values(db_url)
    kind = value_type or ValueTypesEnum(_type_of(known.get(key)) or ValueTypesEnum.STRING)
    new = _read(value, kind)
    was = f"which was {_text_of(known[key])}" if key in known else "which was not there"
    confirmed([f"set {key}, {was}, to {_text_of(new)} ({kind})"], yes=yes)
    set_value(db_url, key, new)
    answer("kv set", _entry(key, new), lambda console: console.print(f"{key} is set."), as_json=as_json)


@app.command()
def delete(key: _Key, db_url: DatabaseUrl, yes: Yes = False, as_json: AsJson = False) -> None:
    """Forget one value.

    Example: tradestore kv delete paused --yes --db-url sqlite:///tradesv3.sqlite
    """
    value = _value_of(db_url, key)
    confirmed([f"forget {key}, which is {_text_of(value)}"], yes=yes)
    delete_value(db_url, key)
    answer("kv delete", _entry(key, value), lambda console: console.print(f"{key} is forgotten."), as_json=as_json)


def _value_of(db_url: str, key: str) -> ValueTypes | None:
    known = list_values(db_url)
    if key not in known:
        msg = f"Nothing is remembered under {key!r}: see `tradestore kv list`."
        raise InvalidValue(msg)
    return known[key]


def _entry(key: str, value: ValueTypes | None) -> dict[str, Any]:
    return {"key": key, "type": _type_of(value), "value": value}


def _type_of(value: ValueTypes | None) -> str | None:
    return None if value is None else type(value).__name__


def _text_of(value: ValueTypes | None) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return as_utc(value).isoformat().replace("+00:00", "Z")
        case _:
            return str(value)


def _read(text: str, kind: ValueTypesEnum) -> ValueTypes:
    try:
        return _READERS[kind](text)
    except (KeyError, ValueError):
        msg = f"{text!r} is no {kind}."
        raise BadParameter(msg) from None


_READERS: Final[Mapping[ValueTypesEnum, Callable[[str], ValueTypes]]] = {
    ValueTypesEnum.STRING: str,
    ValueTypesEnum.DATETIME: datetime.fromisoformat,
    ValueTypesEnum.FLOAT: float,
    ValueTypesEnum.INT: int,
    ValueTypesEnum.BOOL: lambda text: {"true": True, "false": False}[text.lower()],
}
