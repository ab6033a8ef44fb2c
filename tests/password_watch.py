"""A look at everything that the suite prints, logs, warns of and raises: none of it may hold a password.

The passwords of the tests have parts in common that stand nowhere else. So one is found in any form: raw, with percent
signs, escaped, or cut in two. A test during which one was seen fails. A frame's variables are not looked at: what a
debugger or an error tracker shows of them is beyond what a library can hide. Tracebacks quote the lines of the tests
themselves, so a password stands there by a name.
"""

import logging
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Generator
from functools import wraps
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

import tradestore
from tests.servers import PASSWORD
from tradestore.exceptions import TradeStoreError

__all__ = ["MARKS", "pytest_runtest_makereport", "pytest_sessionfinish", "pytest_sessionstart", "watched"]

MARKS: Final = (PASSWORD[:6], "Tr0ub4dor")
"""What every password of the tests has in it."""

_LIBRARY: Final = str(Path(tradestore.__file__).parent)
_SERVERS: Final = str(Path(tradestore.__file__).parent / "testing")
_undo: Final[list[Callable[[], object]]] = []
_found: Final[list[str]] = []


def watched(where: str, text: object) -> None:
    """Note it if something that anybody could see has a password in it."""
    shown = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    for mark in MARKS:
        place = shown.find(mark)
        if place >= 0:
            _found.append(f"{where}: ...{shown[max(0, place - 200) : place]}<HERE>")


def pytest_sessionstart() -> None:
    """Begin to look."""
    _watch_records()
    _watch_errors()
    _watch_processes()
    _watch_outputs()


def pytest_sessionfinish() -> None:
    """Leave everything as it was, for a session within another one."""
    while _undo:
        _undo.pop()()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let a test fail during which a password was seen, in whatever it printed among others."""
    report: Any = yield
    for name, content in report.sections:
        watched(name, content)
    if _found:
        report.outcome = "failed"
        report.longrepr = "A password was shown:\n" + "\n".join(_found)
        _found.clear()
    return report


def _patch(owner: Any, name: str, wrapped: Callable[..., Any]) -> None:
    had_own = name in vars(owner)
    before = getattr(owner, name)
    setattr(owner, name, wraps(before)(wrapped(before)) if callable(before) else wrapped(before))
    _undo.append(lambda: setattr(owner, name, before) if had_own else delattr(owner, name))


def _watch_records() -> None:
    """Look at every record that any logger makes, before any handler does."""
    make = logging.getLogRecordFactory()

    def make_record(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = make(*arguments, **options)
        watched(f"log of {record.name}", record.getMessage())
        if record.exc_info and record.exc_info[1] is not None:
            _watch_chain("logged", record.exc_info[1])
        return record

    logging.setLogRecordFactory(make_record)
    _undo.append(lambda: logging.setLogRecordFactory(make))


def _watch_errors() -> None:
    """Look at the library's errors when they are made, the drivers' when they come, and all that a test expects."""

    def with_look(init: Callable[..., None]) -> Callable[..., None]:
        def look_at_error(self: BaseException, *arguments: Any, **options: Any) -> None:
            init(self, *arguments, **options)
            watched(type(self).__name__, self)
            watched(type(self).__name__, repr(self))

        return look_at_error

    def with_chain(leave: Callable[..., bool]) -> Callable[..., bool]:
        def look_at_chain(self: Any, kind: Any, value: BaseException | None, frames: Any) -> bool:
            if value is not None:
                _watch_chain("raised", value)
            return leave(self, kind, value, frames)

        return look_at_chain

    def look(context: ExceptionContext) -> None:
        for error in (context.original_exception, context.sqlalchemy_exception):
            watched("error of an engine", f"{error} {error!r}")

    _patch(TradeStoreError, "__init__", with_look)
    _patch(warnings.WarningMessage, "__init__", _of_warning)
    _patch(pytest.RaisesExc, "__exit__", with_chain)
    event.listen(Engine, "handle_error", look)
    _undo.append(lambda: event.remove(Engine, "handle_error", look))


def _of_warning(init: Callable[..., None]) -> Callable[..., None]:
    def look(self: warnings.WarningMessage, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        watched("warning", self.message)

    return look


def _watch_chain(where: str, error: BaseException) -> None:
    """Look at an error and at all that led to it, also at what a traceback leaves out."""
    watched(where, "".join(traceback.format_exception(error)))
    chain: list[BaseException] = [error]
    for each in chain:
        watched(where, f"{each} {each!r} {each.args!r}")
        chain += [other for other in (each.__cause__, each.__context__) if other is not None and other not in chain]


def _watch_processes() -> None:
    """Look at the words of the processes that the library starts, and at what any process that a test starts prints."""

    def with_words(init: Callable[..., None]) -> Callable[..., None]:
        def look_at_words(self: Any, args: Any, *more: Any, **options: Any) -> None:
            if _library_is_calling():
                watched("process list", args)
            init(self, args, *more, **options)

        return look_at_words

    def with_outputs(communicate: Callable[..., Any]) -> Callable[..., Any]:
        def look(self: Any, *arguments: Any, **options: Any) -> Any:
            outputs = communicate(self, *arguments, **options)
            for output in outputs:
                watched("printed by a process", output)
            return outputs

        return look

    _patch(subprocess.Popen, "__init__", with_words)
    _patch(subprocess.Popen, "communicate", with_outputs)


def _library_is_calling() -> bool:
    frame: Any = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_LIBRARY) and not file.startswith(_SERVERS):
            return True
        frame = frame.f_back
    return False


def _watch_outputs() -> None:
    """Look at what a test takes out of pytest's hands: the sections of its report don't have that."""

    def with_outputs(readouterr: Callable[..., Any]) -> Callable[..., Any]:
        def look(self: Any) -> Any:
            outputs = readouterr(self)
            for output in outputs:
                watched("printed", output)
            return outputs

        return look

    _patch(pytest.CaptureFixture, "readouterr", with_outputs)
