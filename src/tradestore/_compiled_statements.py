"""Statements that mapped classes keep compiled, and with them the engines that they were compiled for."""

from tradestore.base import ModelBase

__all__ = ["forget_statements"]


def forget_statements() -> None:
    """Let go of the engines that mapped classes have compiled statements for; the next ones are compiled anew.

    Each class remembers a hundred: whoever opens a store again and again, as tests do, would keep as many engines.
    """
    for mapper in ModelBase.registry.mappers:
        # SQLAlchemy makes it when it is missing.
        vars(mapper).pop("_compiled_cache", None)
