"""The servers' own programs, which never get a password by their words or their environment: others can read those."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from tradestore.exceptions import BackupError

__all__ = ["Output", "feed", "output_of", "program", "version_of", "write_secret"]

_CHUNK: Final = 256 << 10
_TAIL: Final = 600
_VERSION: Final = re.compile(r"(?:Distrib |\) )(\d+)\.")
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH")
"""What of our environment the programs get: not what may hold a password."""


def program(*names: str) -> str:
    """Return the path of the first program of these that is installed.

    Raises:
        BackupError: If there is none of them.
    """
    for name in names:
        if found := shutil.which(name):
            return found
    msg = (
        f"{names[0]} is not on the PATH: install the client programs of the server (packages postgresql-client or "
        "mariadb-client), or use the portable format, which needs none (--format portable)."
    )
    raise BackupError(msg)


def version_of(path: str) -> int | None:
    """Return the main number of a program's version, None if it does not tell."""
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, env=_environment({}))  # noqa: S603
    found = _VERSION.search(told.stdout)
    return int(found.group(1)) if found else None


def write_secret(folder: Path, text: str) -> Path:
    """Write a file with a password, for its owner alone, into a folder that will be removed."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)


class Output:
    """What a program writes, as it comes."""

    def __init__(self, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        """Listen to a program."""
        self._process = process
        self._complaints = complaints
        self._heard: list[bytes] = []

    def wait_for(self, mark: bytes, seconds: float) -> None:
        """Listen until a mark has come, or the program's end.

        Raises:
            BackupError: If that takes too long, or the program fails.
        """
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        try:
            heard = b""
            while mark not in heard and (chunk := self._read()):
                self._heard.append(chunk)
                heard = heard[-len(mark) :] + chunk
        finally:
            timer.cancel()
        if mark not in heard:
            self._end()

    def chunks(self) -> Iterator[bytes]:
        """Yield all that it writes.

        Raises:
            BackupError: If the program fails.
        """
        while self._heard:
            yield self._heard.pop(0)
        while chunk := self._read():
            yield chunk
        self._end()

    def _read(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        return os.read(self._process.stdout.fileno(), _CHUNK)

    def _end(self) -> None:
        if self._process.wait() != 0:
            raise _failure(self._process, self._complaints)


@contextmanager
def output_of(words: Sequence[str], variables: Mapping[str, str]) -> Iterator[Output]:
    """Run a program that writes something; it ends with the block.

    Args:
        words: The program and its arguments.
        variables: Of its environment, beside the usual ones.
    """
    with tempfile.TemporaryFile() as complaints, _running(words, variables, complaints, stdin=False) as process:
        yield Output(process, complaints)


def feed(words: Sequence[str], variables: Mapping[str, str], chunks: Iterable[bytes]) -> None:
    """Run a program that reads something, to its end.

    Whoever kills this process cuts the program's input off, and with it whatever it has not finished.

    Raises:
        BackupError: If the program fails.
    """
    with tempfile.TemporaryFile() as complaints, _running(words, variables, complaints, stdin=True) as process:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        # One that has gone away has said why.
        with suppress(BrokenPipeError):
            for chunk in chunks:
                process.stdin.write(chunk)
            process.stdin.close()
        if process.wait() != 0:
            raise _failure(process, complaints)


@contextmanager
def _running(
    words: Sequence[str], variables: Mapping[str, str], complaints: IO[bytes], *, stdin: bool
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 - programs and words of our own
        words,
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if stdin else subprocess.PIPE,
        stderr=complaints,
        env=_environment(variables),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | dict(variables)


def _failure(process: subprocess.Popen[bytes], complaints: IO[bytes]) -> BackupError:
    complaints.seek(0)
    told = " ".join(complaints.read().decode(errors="replace").split())[-_TAIL:]
    name = Path(str(process.args[0] if isinstance(process.args, list) else process.args)).name
    return BackupError(f"{name} failed ({told or f'exit code {process.returncode}'}). Nothing was changed.")
