"""``tradestore trades`` and ``tradestore trade``."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from rich.console import Console
from typer import Argument, BadParameter, Option

from tradestore.cli._answers import answer, printable_lines
from tradestore.cli._arguments import AsJson, DatabaseUrl, Since
from tradestore.cli._formats import fields_of, number, percent, table_of
from tradestore.operations.trades import TradeDetails, explain_trade, list_trades, read_trade

__all__ = ["trade", "trades"]


def trades(
    db_url: DatabaseUrl,
    is_open: Annotated[bool, Option("--open", help="Only open ones.")] = False,
    is_closed: Annotated[bool, Option("--closed", help="Only closed ones.")] = False,
    pair: Annotated[str | None, Option(help="Only of this pair, such as ADA/USDT.")] = None,
    strategy: Annotated[str | None, Option(help="Only of this strategy.")] = None,
    since: Since = None,
    limit: Annotated[int, Option(min=1, max=10_000, help="How many at most.")] = 20,
    after: Annotated[int | None, Option(metavar="ID", help="Those that come after this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """List trades, the latest first.

    --since goes by the date of opening.

    Example: tradestore trades --open --pair ADA/USDT --db-url sqlite:///tradesv3.sqlite
    """
    if is_open and is_closed:
        msg = "Give --open or --closed, or none of them for all trades."
        raise BadParameter(msg)
    page = list_trades(
        db_url,
        is_open=is_open if is_open or is_closed else None,
        pair=pair,
        strategy=strategy,
        since=since,
        limit=limit,
        after=after,
    )

    def show(console: Console) -> None:
        columns = ["id", "pair", "side", "opened", "closed", "profit", "ratio"]
        numbers = ["id", "profit", "ratio"]
        console.print(table_of(columns, map(_row, page.trades), numbers=numbers, unbroken=["side", "opened", "closed"]))
        if page.next is not None:
            console.print(f"There may be more: --after {page.next}")

    answer("trades", page, show, as_json=as_json)


def trade(
    trade_id: Annotated[int, Argument(metavar="ID", help="Its number, see tradestore trades.")],
    db_url: DatabaseUrl,
    explain: Annotated[bool, Option("--explain", help="Show what each order did, with every rounding.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a trade with its orders and what is remembered of it.

    Example: tradestore trade 2 --explain --db-url sqlite:///tradesv3.sqlite
    """
    if explain:
        told = explain_trade(db_url, trade_id)
        answer("trade --explain", told, lambda console: console.print(printable_lines(str(told))), as_json=as_json)
        return
    found = read_trade(db_url, trade_id)

    def show(console: Console) -> None:
        console.print(fields_of(_fields(found)))
        console.print()
        columns = ["order", "side", "status", "amount", "filled", "price", "placed"]
        console.print(table_of(columns, map(_order_row, found.orders), numbers=["amount", "filled", "price"]))
        if found.custom_data:
            console.print()
            console.print(table_of(["remembered", "value"], found.custom_data.items()))

    answer("trade", found, show, as_json=as_json)


def _row(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        values["trade_id"],
        values["pair"],
        _side(values),
        _day(values["open_date"]),
        _day(values["close_date"]) if not values["is_open"] else "open",
        number(values["profit_abs"]),
        percent(values["profit_ratio"]),
    )


def _order_row(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        values["order_id"],
        values["ft_order_side"],
        values["status"],
        number(values["amount"]),
        number(values["filled"]),
        number(values["safe_price"]),
        values["order_date"],
    )


def _fields(found: TradeDetails) -> Iterator[tuple[str, Any]]:
    values = found.trade
    currency = values["quote_currency"]
    yield "trade", f"{values['trade_id']}, {values['pair']} {_side(values)} on {values['exchange']}"
    yield "state", "open" if values["is_open"] else f"closed at {number(values['close_rate'])}"
    yield "strategy", values["strategy"]
    yield "mode", f"{values['trading_mode'] or 'spot'}, leverage {number(values['leverage'])}"
    yield "amount", f"{number(values['amount'])} {values['base_currency']}"
    yield "average price", number(values["open_rate"])
    yield "stake", f"{number(values['stake_amount'])} {currency}"
    yield "opened", f"{values['open_date']} UTC"
    if values["close_date"]:
        yield "closed", f"{values['close_date']} UTC"
    yield "entry tag", values["enter_tag"]
    yield "exit reason", values["exit_reason"]
    yield "realised profit", f"{number(values['realized_profit'])} {currency}, {percent(values['profit_ratio']) or '-'}"
    yield "funding fees", number(values["funding_fees"])


def _side(values: Mapping[str, Any]) -> str:
    return "short" if values["is_short"] else "long"


def _day(text: str | None) -> str | None:
    return None if text is None else text[:10]
