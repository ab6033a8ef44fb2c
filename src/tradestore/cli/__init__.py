"""The command line: what an operator types, over the functions of :mod:`tradestore.operations`."""

__all__: list[str] = []
