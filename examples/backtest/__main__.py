"""The command line: ``python -m examples.backtest --help``."""

import argparse
from collections.abc import Callable

import tradestore
from examples.backtest.candles import MARKETS
from examples.backtest.engine import Result, run_backtest
from examples.backtest.results import as_text, summarize
from examples.backtest.settings import Settings
from examples.backtest.strategy import SLOW
from tradestore import TradingMode


def main() -> None:
    """Run a backtest in memory, print what it brought, and store it if wanted."""
    arguments = _parser().parse_args()
    settings = Settings(
        mode=TradingMode(arguments.mode), pairs=arguments.pairs, candles=arguments.candles, seed=arguments.seed
    )
    result = run_backtest(settings)
    print(as_text(summarize(result)))
    if arguments.store:
        print(f"\nStored as {_store(result, arguments.store)!r}.")


def name_of(settings: Settings) -> str:
    """Return the name under which a run is stored: the same settings take the place of their former run."""
    return f"{settings.mode.value} pairs={settings.pairs} candles={settings.candles} seed={settings.seed}"


def _store(result: Result, db_url: str) -> str:
    # The names of the package are loaded when they are used: without --store, no SQLAlchemy.
    database = tradestore.init_db(db_url)
    try:
        return tradestore.store_backtest(result.trades, run=name_of(result.settings), replace=True).name
    finally:
        database.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.backtest", description="Run a backtest on candles that are made up."
    )
    parser.add_argument("--pairs", type=_within(1, len(MARKETS)), default=20, help="how many pairs (default: 20)")
    parser.add_argument("--candles", type=_within(SLOW + 2, 100_000), default=720, help="how many hours (default: 720)")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other candles (default: 1)")
    parser.add_argument("--mode", choices=[mode.value for mode in TradingMode], default="spot", help="default: spot")
    parser.add_argument("--store", metavar="URL", help="keep the trades there, such as sqlite:///backtests.sqlite")
    return parser


def _within(least: int, most: int) -> Callable[[str], int]:
    """Return what reads an argument that must be a number within bounds."""

    def whole_number(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            msg = f"{number} is not from {least} to {most}"
            raise argparse.ArgumentTypeError(msg)
        return number

    return whole_number


if __name__ == "__main__":
    main()
