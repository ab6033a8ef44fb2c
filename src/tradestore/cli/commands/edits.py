"""Edits by hand: ``tradestore close-trade``, ``reopen-trade``, ``delete-trade``, ``edit-trade`` and their like."""

from datetime import datetime
from typing import Annotated

import typer

from tradestore.cli._arguments import DATE, AsJson, DatabaseUrl, Yes
from tradestore.cli.commands.repair import BackupFolder, carry_out
from tradestore.exceptions import InvalidValue
from tradestore.operations.repair.by_hand import (
    plan_close_trade,
    plan_delete_order,
    plan_delete_trade,
    plan_edit_order,
    plan_edit_trade,
    plan_reopen_trade,
)
from tradestore.operations.repair.renaming import plan_rename_pair

__all__ = ["close_trade", "delete_order", "delete_trade", "edit_order", "edit_trade", "rename_pair", "reopen_trade"]

_TradeId = Annotated[int, typer.Argument(metavar="TRADE", help="The trade's id.")]
_OrderId = Annotated[int, typer.Argument(metavar="ORDER", help="The order's id in the table, not the exchange's.")]
_Fields = Annotated[
    list[str], typer.Argument(metavar="FIELD=VALUE...", help="What becomes of which field; none empties it.")
]


def close_trade(
    trade_id: _TradeId,
    db_url: DatabaseUrl,
    rate: Annotated[float, typer.Option(help="At which it was closed, in stake currency.")],
    date: Annotated[datetime | None, typer.Option(help="When (UTC); now if not given.", **DATE)] = None,
    reason: Annotated[str, typer.Option(help="Is kept as the exit's reason.")] = "closed by hand",
    fee: Annotated[float | None, typer.Option(help="Of the exit, as a ratio (0.001 is 0.1 %).")] = None,
    backup_folder: BackupFolder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Close a trade that was closed beside the bot, with a filled order and the profit of it.

    Example: tradestore close-trade 7 --rate 21.5 --db-url sqlite:///tradesv3.sqlite
    """
    plan = plan_close_trade(db_url, trade_id, rate=rate, date=date, reason=reason, fee=fee)
    carry_out("close-trade", db_url, plan, backup_folder=backup_folder, yes=yes, as_json=as_json)


def reopen_trade(
    trade_id: _TradeId,
    db_url: DatabaseUrl,
    drop_exit: Annotated[
        bool, typer.Option("--drop-exit", help="Delete its last exit order, which never was.")
    ] = False,
    backup_folder: BackupFolder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Open a closed trade again.

    Example: tradestore reopen-trade 7 --drop-exit --db-url sqlite:///tradesv3.sqlite
    """
    plan = plan_reopen_trade(db_url, trade_id, drop_exit=drop_exit)
    carry_out("reopen-trade", db_url, plan, backup_folder=backup_folder, yes=yes, as_json=as_json)


def delete_trade(
    trade_id: _TradeId,
    db_url: DatabaseUrl,
    backup_folder: BackupFolder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a trade with its orders and what is remembered about it; repair-undo brings all of it back.

    Example: tradestore delete-trade 7 --db-url sqlite:///tradesv3.sqlite
    """
    plan = plan_delete_trade(db_url, trade_id)
    carry_out("delete-trade", db_url, plan, backup_folder=backup_folder, yes=yes, as_json=as_json)


def edit_trade(
    trade_id: _TradeId,
    fields: _Fields,
    db_url: DatabaseUrl,
    backup_folder: BackupFolder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Change fields of a trade; what follows from its orders is computed anew.

    Example: tradestore edit-trade 7 leverage=3 stop_loss=18.5 --db-url sqlite:///tradesv3.sqlite
    """
    plan = plan_edit_trade(db_url, trade_id, **_pairs_of(fields))
    carry_out("edit-trade", db_url, plan, backup_folder=backup_folder, yes=yes, as_json=as_json)


def edit_order(
    order_id: _OrderId,
    fields: _Fields,
    db_url: DatabaseUrl,
    backup_folder: BackupFolder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Change fields of an order; the totals of its trade are computed anew.

    Example: tradestore edit-order 12 filled=9.5 average=20.1 --db-url sqlite:///tradesv3.sqlite
    """
    plan = plan_edit_order(db_url, order_id, **_pairs_of(fields))
    carry_out("edit-order", db_url, plan, backup_folder=backup_folder, yes=yes, as_json=as_json)


def delete_order(
    order_id: _OrderId,
    db_url: DatabaseUrl,
    backup_folder: BackupFolder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete an order; the totals of its trade are computed anew.

    Example: tradestore delete-order 12 --db-url sqlite:///tradesv3.sqlite
    """
    plan = plan_delete_order(db_url, order_id)
    carry_out("delete-order", db_url, plan, backup_folder=backup_folder, yes=yes, as_json=as_json)


def rename_pair(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The pair's name, such as MATIC/USDT.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name, such as POL/USDT.")],
    db_url: DatabaseUrl,
    exchange: Annotated[str | None, typer.Option(help="Only in trades of this exchange.")] = None,
    backup_folder: BackupFolder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give a pair another name everywhere: in trades, orders, intents, locks and what is remembered about it.

    Example: tradestore rename-pair MATIC/USDT POL/USDT --db-url sqlite:///tradesv3.sqlite
    """
    plan = plan_rename_pair(db_url, old, new, exchange=exchange)
    carry_out("rename-pair", db_url, plan, backup_folder=backup_folder, yes=yes, as_json=as_json)


def _pairs_of(fields: list[str]) -> dict[str, str]:
    found = {}
    for each in fields:
        name, sign, value = each.partition("=")
        if not sign:
            msg = f"{each!r} is no FIELD=VALUE, such as leverage=3. Nothing was changed."
            raise InvalidValue(msg)
        found[name] = value
    return found
