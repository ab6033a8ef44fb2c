"""What private database servers have in common: a folder, a port, a process, and two users."""

import importlib.util
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from sqlalchemy import URL, Engine, Row, create_engine, text
from sqlalchemy.exc import DBAPIError

__all__ = ["ADMIN", "DATABASE", "PASSWORD", "USER", "Server", "ServerError"]

ADMIN = "keeper"
USER = "bot"
PASSWORD = "s3cret/@:%25#?&=+;w"  # Breaks whatever forgets to escape it: a URL, an ini file, a log filter.
DATABASE = "tradestore"

MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it has a name that nobody can guess
ENOUGH = 2 << 30
"""Bytes that must be free in memory before a server keeps its data there: several may run at once."""

START_SECONDS = 90.0
STOP_SECONDS = 30.0
LOG_TAIL = 3_000


class ServerError(RuntimeError):
    """A private server could not be set up; the message ends with the tail of its log."""


class Server(ABC):
    """A database server of our own, with an administrator and an ordinary user.

    Attributes:
        binaries: Programs that must be installed.
        driver: Module that the administrator's connections need.
        scheme: SQLAlchemy's name for the administrator's connections.
        account: System user to run as where the tests run as root.
        stop_signal: What asks the server to finish without waiting for its clients.
        home: Database that is always there.
    """

    binaries: ClassVar[Sequence[str]]
    driver: ClassVar[str]
    scheme: ClassVar[str]
    account: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    home: ClassVar[str]

    def __init__(self, *, durable: bool = False) -> None:
        """Choose a folder and a port; nothing runs yet.

        Args:
            durable: Wait for the disk at every commit, as in production, instead of being quick.
        """
        self.durable = durable
        self.port = _free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="tradestore-", dir=None if durable else _memory()))
        self.data = self.folder / "data"
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self._engines: dict[str, Engine] = {}
        self._hand_over(self.folder)

    def __enter__(self) -> Self:
        """Start the server, or leave nothing behind."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server and remove its folder."""
        self.close()

    @classmethod
    def missing(cls) -> str | None:
        """Say what keeps this server from running here, None if nothing does."""
        absent = [name for name in cls.binaries if shutil.which(name, path=_search_path()) is None]
        if importlib.util.find_spec(cls.driver) is None:
            absent.append(f"the module {cls.driver}")
        return f"{' and '.join(absent)} not found" if absent else None

    @property
    def running(self) -> bool:
        """Whether the server's process is alive."""
        return self._process is not None and self._process.poll() is None

    def url(self, scheme: str, database: str = DATABASE) -> str:
        """Return the ordinary user's URL, password included.

        Args:
            scheme: What stands before `://`, for example `postgresql+psycopg`.
            database: A name that was given to `create_database`.
        """
        return self._url(scheme, USER, database).render_as_string(hide_password=False)

    def start(self) -> None:
        """Start the server, also after `stop` or `kill`, and return once it answers.

        Raises:
            ServerError: It ended at once, or didn't answer in time.
        """
        if self.running:
            return
        fresh = not self.data.exists()
        if fresh:
            self._create_data()
        self._process = self._spawn(self._command())
        self._await_answer()
        if fresh:
            self._create_user()

    def stop(self) -> None:
        """Shut down in good order."""
        self._forget_connections()
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End every process of the server with SIGKILL, as a crash would."""
        self._forget_connections()
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGSTOP)  # Or it might start a child while we count them.
            _kill([*_children(self._process.pid), self._process.pid])
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(self, sql: str, database: str | None = None, /, **parameters: object) -> list[Row[Any]]:
        """Run one statement as the administrator, outside any transaction.

        Args:
            sql: The statement, with `:name` where a parameter goes.
            database: Where to run it; by default in the one that is always there.
            **parameters: Values for the statement.

        Returns:
            The rows, none for a statement that gives no rows.
        """
        name = database or self.home
        if name not in self._engines:
            url = self._url(self.scheme, ADMIN, name)
            self._engines[name] = create_engine(url, pool_pre_ping=True, isolation_level="AUTOCOMMIT")
        with self._engines[name].connect() as connection:
            result = connection.execute(text(sql), parameters)
            return list(result) if result.returns_rows else []

    @abstractmethod
    def create_database(self, name: str = DATABASE) -> None:
        """Create the database *name*, or empty it; whoever is connected to it is thrown out.

        A server that a test left dead is started first.
        """

    @abstractmethod
    def disconnect(self, database: str = DATABASE) -> int:
        """Cut the ordinary user's connections to *database*, and return how many there were."""

    @abstractmethod
    def _create_data(self) -> None:
        """Fill the data folder."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""

    def _create_user(self) -> None:  # noqa: B027 - a hook, empty where the server starts with its users
        """Create the ordinary user."""

    def _url(self, scheme: str, user: str, database: str) -> URL:
        return URL.create(scheme, user, PASSWORD, "127.0.0.1", self.port, database)

    def _binary(self, name: str) -> str:
        path = shutil.which(name, path=_search_path())
        if path is None:
            raise ServerError(f"{name} is not installed")
        return path

    def _write(self, name: str, content: str) -> str:
        """Write a small file that the server can read, and return its path."""
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        self._hand_over(path)
        return str(path)

    def _hand_over(self, path: Path) -> None:
        if _is_root():
            shutil.chown(path, self.account, self.account)

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        identity: dict[str, Any] = {}
        if _is_root():  # Both servers refuse to run as root, or would rather not.
            identity = {"user": self.account, "group": self.account, "extra_groups": []}
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={"PATH": _search_path(), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must reach pytest alone: the fixtures stop the server.
                **identity,
            )

    def _run(self, command: list[str]) -> None:
        process = self._spawn(command)
        try:
            status = process.wait(START_SECONDS)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        if status != 0:
            raise ServerError(f"{command[0]} failed:\n{self._tail()}")

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except DBAPIError as error:
                if not self.running or time.monotonic() > deadline:
                    self.kill()
                    raise ServerError(f"{type(self).__name__} did not start:\n{self._tail()}") from error
                time.sleep(0.05)
            else:
                return

    def _forget_connections(self) -> None:
        for engine in self._engines.values():
            engine.dispose()

    def _tail(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]


def _is_root() -> bool:
    return os.geteuid() == 0


def _memory() -> Path | None:
    """Return the folder that is kept in memory, None for the usual place where there is none with enough room.

    Both servers wait for the disk whenever a table is made, whatever they are told.
    """
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ENOUGH:
        return None
    return MEMORY


def _search_path() -> str:
    """Return PATH and the folders outside of it where Linux distributions keep servers."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True
    )
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, versions), "/usr/local/sbin", "/usr/sbin"])


def _free_port() -> int:
    """Return a loopback port that nobody uses and no outgoing connection is given.

    A port from the system's own range could be taken by any client while our server is down; a
    client that tries to reconnect may even be given it, and then talks to itself.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)  # A test may have seeded the usual one.
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _kill(pids: Iterable[int]) -> None:
    """Send SIGKILL to all *pids*, and return when they are gone.

    PostgreSQL refuses to start again while one child of the last run still holds its memory.
    """
    handles = [os.pidfd_open(pid) for pid in pids]
    for handle in handles:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    for handle in handles:
        select.select([handle], [], [], STOP_SECONDS)
        os.close(handle)
