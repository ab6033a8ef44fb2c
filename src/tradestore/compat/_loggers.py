"""Log lines of ours that a bot's own set-up of logging covers."""

import logging
from contextlib import ExitStack

__all__ = ["put_loggers_below"]


def put_loggers_below(persistence: str, ours: str, undo: ExitStack) -> None:
    """Let levels and handlers that a bot sets for its own loggers hold for ours too.

    Args:
        persistence: The bot's persistence package, whose logger gets what ours log.
        ours: Our package.
        undo: Gets what puts our loggers back.
    """
    logger = logging.getLogger(ours)
    undo.callback(_set_parent, logger, logger.parent)
    _set_parent(logger, logging.getLogger(persistence))


def _set_parent(logger: logging.Logger, parent: logging.Logger | None) -> None:
    logger.parent = parent
    # Loggers remember which levels they let pass; setting one makes all of them forget.
    logger.setLevel(logger.level)
