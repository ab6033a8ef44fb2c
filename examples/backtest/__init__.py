"""A small backtest engine on tradestore, to read, to run and to copy: see docs/tasks/backtests.md.

    python -m examples.backtest --mode futures

What it trades on is made up: nobody should expect profits, here or anywhere else, from its strategy.
"""
