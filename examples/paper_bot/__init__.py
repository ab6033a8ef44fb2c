"""A bot in a dry run, to be copied: a loop, a strategy, protections, threads and a web API around one store.

    python -m examples.paper_bot --db-url sqlite:///paper.sqlite --iterations 2000

Everything is simulated but the store. Time is that of the market's candles, so that a run can be repeated.
"""
