"""Private database servers: started from the installed binaries, killed at will.

Each server lives in a temporary folder, in memory where there is room and it need not be *durable*. It
listens on a free loopback port only, and keeps its clock display in +03:00, because a store that is right
only where the server speaks UTC isn't right. Commits survive `kill()` even without *durable*, which is
needed against power loss alone.
"""

import signal

from sqlalchemy.exc import DBAPIError

from tradestore.testing._server import ADMIN, DATABASE, PASSWORD, USER, Server, ServerError

__all__ = [
    "ADMIN",
    "DATABASE",
    "PASSWORD",
    "USER",
    "MariaDBServer",
    "PostgresServer",
    "Server",
    "ServerError",
]


class PostgresServer(Server):
    """A private PostgreSQL."""

    binaries = ("initdb", "postgres")
    driver = "psycopg2"
    scheme = "postgresql+psycopg2"
    account = "postgres"
    stop_signal = signal.SIGINT
    home = "postgres"

    def create_database(self, name: str = DATABASE) -> None:
        """Create the database *name*, or empty it; whoever is connected to it is thrown out."""
        self.start()
        if self.execute("SELECT 1 FROM pg_database WHERE datname = :name", name=name):
            self.disconnect(name)
            # Several times quicker than a new database, and it takes the enum types along.
            self.execute(f"DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public AUTHORIZATION {USER}", name)
        else:
            self.execute(f'CREATE DATABASE "{name}" OWNER {USER}')

    def disconnect(self, database: str = DATABASE) -> int:
        """Cut the ordinary user's connections to *database*, and return how many there were."""
        return len(
            self.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = :database AND usename = :user",
                database=database,
                user=USER,
            )
        )

    def _create_data(self) -> None:
        password_file = self._write("password", PASSWORD)
        self._run(
            [
                self._binary("initdb"),
                f"--pgdata={self.data}",
                f"--username={ADMIN}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ]
        )

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "timezone": "Europe/Moscow",
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "max_wal_size": "128MB"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._binary("postgres"), "-D", str(self.data), *options]

    def _create_user(self) -> None:
        self.execute(f"CREATE ROLE {USER} LOGIN PASSWORD :password", password=PASSWORD)


class MariaDBServer(Server):
    """A private MariaDB."""

    binaries = ("mariadb-install-db", "mariadbd")
    driver = "pymysql"
    scheme = "mysql+pymysql"
    account = "mysql"
    stop_signal = signal.SIGTERM
    home = "mysql"

    def create_database(self, name: str = DATABASE) -> None:
        """Create the database *name*, or empty it; whoever is connected to it is thrown out."""
        self.start()
        self.disconnect(name)  # An open transaction would make the next line wait for it.
        self.execute(f"DROP DATABASE IF EXISTS `{name}`")
        self.execute(f"CREATE DATABASE `{name}`")

    def disconnect(self, database: str = DATABASE) -> int:
        """Cut the ordinary user's connections to *database*, and return how many there were."""
        connections = self.execute(
            "SELECT id FROM information_schema.processlist WHERE db = :database AND user = :user",
            database=database,
            user=USER,
        )
        for connection in connections:
            try:
                self.execute("KILL :id", id=connection.id)
            except DBAPIError as error:
                if "Unknown thread id" not in str(error):  # It may leave by itself while we look.
                    raise
        return len(connections)

    def _create_data(self) -> None:
        self._run(
            [
                self._binary("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={self.data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                self._own_tmpdir(),
                *self._haste(),
            ]
        )

    def _command(self) -> list[str]:
        users = self._write(
            "users.sql",
            f"CREATE USER IF NOT EXISTS '{ADMIN}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO '{ADMIN}'@'127.0.0.1' WITH GRANT OPTION;\n"
            f"CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON `{DATABASE}%`.* TO '{USER}'@'127.0.0.1';\n",
        )
        return [
            self._binary("mariadbd"),
            "--no-defaults",
            f"--datadir={self.data}",
            "--bind-address=127.0.0.1",
            f"--port={self.port}",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={users}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--default-time-zone=+03:00",
            "--innodb-buffer-pool-size=64M",
            self._own_tmpdir(),
            *self._haste(),
        ]

    def _own_tmpdir(self) -> str:
        # A server that starts clears away what another one keeps in a folder that they share.
        folder = self.folder / "tmp"
        if not folder.exists():
            folder.mkdir()
            self._hand_over(folder)
        return f"--tmpdir={folder}"

    def _haste(self) -> list[str]:
        if self.durable:
            return []
        return [
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-flush-method=nosync",
            "--innodb-log-file-size=32M",
            "--sync-frm=0",
        ]
