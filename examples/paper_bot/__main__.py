"""The command: python -m examples.paper_bot --help."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from examples.paper_bot.bot import PaperBot
from examples.paper_bot.exchange import Exchange
from examples.paper_bot.market import Market
from examples.paper_bot.summary import read_summary, table
from tradestore import KeyValueStore, init_db
from tradestore.exceptions import OperationalException

try:
    from examples.paper_bot.api import create_app
    from examples.paper_bot.client import ApiClient
except ImportError as error:
    _missing: str | None = error.name
else:
    _missing = None

__all__ = ["main"]

_ASK_EVERY: Final = 100


def main(arguments: list[str] | None = None) -> int:
    """Run the bot; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.db_url:
        parser.error("name a database: --db-url sqlite:///paper.sqlite, or the variable TRADESTORE_DB_URL")
    if options.api and _missing is not None:
        parser.error(f"--api needs {_missing}: pip install fastapi httpx. The loop works without it.")
    try:
        return _run(options)
    except OperationalException as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    with ExitStack() as stack:
        store = init_db(options.db_url)
        stack.callback(store.close)
        market = Market(options.seed)
        exchange = Exchange(market, options.exchange_file)
        stack.callback(exchange.close)
        last = KeyValueStore.get_int_value("last iteration")
        # A kill in the very first iteration leaves an exchange that has begun, and no iteration that was done.
        is_another_run = exchange.number > 0 if last is None else exchange.is_new
        if is_another_run:
            print(f"The database and {options.exchange_file} are not of the same run: remove both.", file=sys.stderr)
            return 1
        bot = PaperBot(store, market, exchange)
        bot.start()
        after_each = None
        if options.api:
            client = stack.enter_context(ApiClient(create_app(bot)))
            after_each = _asking(client)
        bot.run(options.iterations, after_each)
        print(table(read_summary(list(market.pairs)), bot.counts))
    return 0


def _asking(client: "ApiClient") -> Callable[[int], None]:
    """Return what asks the API now and then, and prints what it answers."""

    def ask(number: int) -> None:
        if number % _ASK_EVERY == 0:
            print(f"iteration {number}: {client.get('/profit').text}")

    return ask


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.paper_bot", description="A bot in a dry run.")
    parser.add_argument("--db-url", default=os.environ.get("TRADESTORE_DB_URL"), help="default: TRADESTORE_DB_URL")
    parser.add_argument("--iterations", type=int, default=2000, help="candles of five minutes in all (2000)")
    parser.add_argument("--seed", type=int, default=1, help="of the market's prices (1)")
    parser.add_argument(
        "--exchange-file",
        type=Path,
        default=Path("paper_exchange.jsonl"),
        help="where the simulated exchange is kept between runs (paper_exchange.jsonl)",
    )
    parser.add_argument("--api", action="store_true", help="answer a client in this process, too (needs fastapi)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
