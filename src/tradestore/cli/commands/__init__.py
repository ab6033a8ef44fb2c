"""The commands, a module for each group of them; every one is listed in :mod:`tradestore.cli.app`."""

__all__: list[str] = []
