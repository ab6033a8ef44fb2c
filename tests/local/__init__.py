"""Tests of trades, orders, locks and custom data that live in memory, without a database."""
