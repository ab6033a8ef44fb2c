"""A command in a terminal of 80 columns, as a person sees it."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["COLUMNS", "Terminal", "each_in_terminal", "in_terminal"]

COLUMNS = 80
CTRL_C = b"\x03"
SILENCE = 5.0
"""Seconds after which a program that was stopped has missed it."""
_ONE_BY_ONE = """
import json, sys
from tradestore.cli.app import run
for words in json.loads(sys.argv[1]):
    print(f"[ended with {run(words)}]", flush=True)
"""
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TRANSIENT = re.compile(r"[^\n]*\r(?!\n)")


@dataclass(frozen=True)
class Terminal:
    """What a terminal has got.

    Attributes:
        code: How the command ended.
        raw: All of it, colours and moves of the cursor included.
    """

    code: int
    raw: str

    @property
    def text(self) -> str:
        """What stands there in the end, as text."""
        return _TRANSIENT.sub("", _COLOURS.sub("", self.raw.replace("\r\n", "\n")))


def in_terminal(
    *words: str, folder: Path, environment: dict[str, str] | None = None, keys: dict[str, str] | None = None
) -> Terminal:
    """Run a command in a terminal of its own.

    Args:
        words: Behind ``tradestore``.
        folder: To be in.
        environment: Variables beside the present ones.
        keys: What is typed when a text has appeared.
    """
    return _in_terminal(["-m", "tradestore", *words], folder, environment or {}, keys or {})


def each_in_terminal(commands: Sequence[Sequence[str]], *, folder: Path) -> list[Terminal]:
    """Run commands one after the other in one terminal and one process, which starts in no time only once."""
    raw = _in_terminal(["-c", _ONE_BY_ONE, json.dumps(commands)], folder, {}, {}).raw
    found = re.findall(r"(.*?)\[ended with (\d+)\]\r\n", raw, re.DOTALL)
    assert len(found) == len(commands), raw
    return [Terminal(int(code), text) for text, code in found]


def _in_terminal(words: list[str], folder: Path, environment: dict[str, str], keys: dict[str, str]) -> Terminal:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=variables | {"TERM": "xterm-256color"} | environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 - one system call, for which no thread holds a lock
    )
    os.close(theirs)
    try:
        raw = _read(ours, dict(keys))
    finally:
        os.close(ours)
    return Terminal(process.wait(), raw)


def _take_terminal() -> None:
    # Else Ctrl-C would be a character like any other.
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(terminal: int, keys: dict[str, str]) -> str:
    seen = pressed = b""
    # Linux says by an error that nobody holds the other end any more.
    with suppress(OSError):
        while True:
            if not select.select([terminal], [], [], SILENCE)[0]:
                # Python misses a Ctrl-C that comes just before it begins to wait for a key: it is pressed once more.
                os.write(terminal, pressed if pressed == CTRL_C else b"")
                continue
            new = os.read(terminal, 4096)
            if not new:
                break
            seen += new
            for text in [text for text in keys if text.encode() in seen]:
                pressed = keys.pop(text).encode()
                os.write(terminal, pressed)
    return seen.decode()
