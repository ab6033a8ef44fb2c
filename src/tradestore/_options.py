"""The options of an open database: their defaults, what is allowed, and where they may stand."""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict

from sqlalchemy import URL

from tradestore.exceptions import InvalidDatabaseUrl, InvalidValue

__all__ = ["Durability", "EngineOptions", "OptionArguments", "options_of"]

Durability = Literal["full", "normal"]

_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]+)?", re.ASCII)
_LONGEST: Final = 1_000_000
"""Seconds, eleven days: every engine can count them in milliseconds."""

_BEYOND_LOCKS: Final = 30.0
"""Seconds that a server has for its answer after it gave up waiting for a lock."""


class OptionArguments(TypedDict, total=False):
    """The options as keyword arguments; :class:`EngineOptions` tells what each means."""

    pool_size: int
    max_overflow: int
    pool_timeout: float
    pool_recycle: int
    busy_timeout: float
    durability: Durability
    connect_timeout: float
    answer_timeout: float | None
    slow_statement: float | None
    log_file: str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """How connections are kept, what they wait for, and what a commit promises.

    Attributes:
        pool_size: Connections that are kept open.
        max_overflow: Further ones that may be opened for a while.
        pool_timeout: Seconds to wait for one of them.
        pool_recycle: Seconds after which a connection to a server is replaced by a new one; -1 for never.
        busy_timeout: Seconds to wait for another writer.
        durability: ``full``: what was committed survives a power cut. ``normal``: it may take the last commits.
        connect_timeout: Seconds to wait for a server to let us in.
        answer_timeout: Seconds to wait for a server's answer to one statement; None for ever.
        slow_statement: Seconds after which a statement is logged as slow, 0 for all of them; None for none.
        log_file: Where the library's log goes besides, as long as the store is open; None for nowhere.
    """

    pool_size: int = 5
    max_overflow: int = 10
    pool_timeout: float = 30.0
    pool_recycle: int = 1800
    busy_timeout: float = 30.0
    durability: Durability = "full"
    connect_timeout: float = 10.0
    answer_timeout: float | None = 120.0
    slow_statement: float | None = None
    log_file: str | os.PathLike[str] | None = None


def options_of(url: URL, given: Mapping[str, Any]) -> tuple[URL, EngineOptions]:
    """Take our options out of a URL; what was given besides wins over them, and they win over the defaults.

    Args:
        url: Of the database. What its driver knows stays in it.
        given: Options by their names.

    Returns:
        The URL for the driver, and all options.

    Raises:
        TypeError: If something was given that is no option.
        InvalidValue: If something was given that an option cannot be.
        InvalidDatabaseUrl: If the URL has such a value.
    """
    unknown = given.keys() - _CHECKS.keys()
    if unknown:
        msg = f"There is no option {min(unknown)!r}: known are {', '.join(_CHECKS)}."
        raise TypeError(msg)
    chosen: dict[str, Any] = {}
    for name, check in _CHECKS.items():
        text = url.query.get(name)
        if text is not None:
            chosen[name] = _checked(check, name, _read(text), text, InvalidDatabaseUrl)
    for name, value in given.items():
        chosen[name] = _checked(_CHECKS[name], name, value, value, InvalidValue)
    if "answer_timeout" not in chosen and "busy_timeout" in chosen:
        # Whoever waits longer for others has not lost the server.
        waiting = chosen["busy_timeout"] + _BEYOND_LOCKS
        chosen["answer_timeout"] = max(waiting, EngineOptions.__dataclass_fields__["answer_timeout"].default)
    return url.difference_update_query([name for name in _CHECKS if name in url.query]), EngineOptions(**chosen)


class _NotAllowedError(Exception):
    """Says what is."""


def _checked(
    check: Callable[[Any], Any], name: str, value: object, shown: object, error: type[InvalidValue | InvalidDatabaseUrl]
) -> Any:
    try:
        return check(value)
    except _NotAllowedError as e:
        place = " in the db_url" if error is InvalidDatabaseUrl else ""
        msg = f"The option {name}{place} is {shown!r}, but it has to be {e}."
        raise error(msg) from None


def _read(text: str | tuple[str, ...]) -> object:
    if isinstance(text, tuple) or not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _whole(least: int, allowed: str) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= _LONGEST:
            raise _NotAllowedError(allowed)
        return int(value)

    return check


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _NotAllowedError(_SECONDS)
    if not (math.isfinite(value) and 0 <= value <= _LONGEST):
        raise _NotAllowedError(_SECONDS)
    return float(value)


def _connect_timeout(value: Any) -> float:
    try:
        seconds = _seconds(value)
    except _NotAllowedError:
        seconds = 0.0
    if not seconds:
        msg = f"a number of seconds above 0, at most {_LONGEST}"
        raise _NotAllowedError(msg)
    return seconds


def _answer_timeout(value: Any) -> float | None:
    try:
        return None if value is None else _seconds(value) or None
    except _NotAllowedError as e:
        msg = f"{e}; 0 is for ever"
        raise _NotAllowedError(msg) from None


def _slow_statement(value: Any) -> float | None:
    return None if value is None else _seconds(value)


def _log_file(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not (path := os.fspath(value)) or not isinstance(path, str):
        msg = "the path of a file"
        raise _NotAllowedError(msg)
    return path


def _durability(value: Any) -> Durability:
    if value == "full":
        return "full"
    if value == "normal":
        return "normal"
    msg = "'full' or 'normal'"
    raise _NotAllowedError(msg)


_SECONDS: Final = f"a number of seconds from 0 to {_LONGEST}"
_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "pool_size": _whole(1, f"a whole number from 1 to {_LONGEST}"),
    "max_overflow": _whole(0, f"a whole number from 0 to {_LONGEST}"),
    "pool_timeout": _seconds,
    "pool_recycle": _whole(-1, f"a whole number of seconds from 0 to {_LONGEST}, or -1 for never"),
    "busy_timeout": _seconds,
    "durability": _durability,
    "connect_timeout": _connect_timeout,
    "answer_timeout": _answer_timeout,
    "slow_statement": _slow_statement,
    "log_file": _log_file,
}
