"""The tests of tradestore."""
