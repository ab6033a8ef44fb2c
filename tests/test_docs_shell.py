"""The walks of a new user, all ``shell`` fences of a page, run as they stand there and print what stands below them.

``bash -e`` runs them in a fresh copy of the checkout, where a virtual environment is active that was made empty: one
for all pages, which take turns. ``localhost`` is a private server with an administrator and no databases, of the engine
that the page's URLs name; ``psql``, ``createdb`` and ``mariadb`` reach it as that administrator.
"""

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.pages import CHECKOUT, fences_of, is_printed, name_of, pages_with
from tests.servers import ADMIN, PASSWORD, USER, MariaDBServer, PostgresServer, Server
from tests.turns import shared_folder
from tradestore.testing.plugin import serve

SECONDS = 300
END_OF_FENCE = "\x1e"
OUR_OWN = ("PYTHON", "PYTEST", "TRADESTORE", "PG")
"""How the variables begin that are of this run, and not of a new user's shell."""
LENIENCY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SERVERS: Mapping[str, tuple[type[Server], str]] = {
    "postgresql": (PostgresServer, f"DROP ROLE {USER}"),
    "mariadb": (MariaDBServer, f"DROP USER '{USER}'@'127.0.0.1'"),
}
LOCAL_URL = re.compile(rf"({'|'.join(SERVERS)})(\+\w+)?://[^\s'\"]*localhost\b")


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Path]:
    """Return the virtual environment, for nobody else as long as the test runs."""
    with shared_folder("walks", tmp_path_factory, worker_id) as folder:
        venv = folder / "venv"
        if not (venv / "bin" / "pip").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        yield venv


@pytest.mark.parametrize("page", pages_with("shell"), ids=name_of)
def test_walk_of_a_page_leads_where_it_says(page: Path, environment: Path, tmp_path: Path) -> None:
    fences = fences_of(page, "shell")
    walk = "".join(f"{fence.text}printf '{END_OF_FENCE}'\n" for fence in fences)
    with ExitStack() as running:
        servers = {name: running.enter_context(_empty_server(name)) for name in _engines(walk)}
        result = subprocess.run(
            ["bash", "-e", "-c", _localised(walk, servers)],
            cwd=_fresh_checkout(tmp_path / "checkout", page),
            env=_shell(environment, tmp_path / "home", servers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert result.returncode == 0, f"{name_of(page)}:\n{result.stdout}"
    *printed, _ = _as_on_the_page(result.stdout, servers).split(END_OF_FENCE)
    for fence, output in zip(fences, printed, strict=True):
        if fence.output is not None:
            assert is_printed(fence.output, output, LENIENCY), f"{name_of(page)}:{fence.line} printed:\n{output}"


def _engines(walk: str) -> set[str]:
    return {url[1] for url in LOCAL_URL.finditer(walk)}


def _localised(walk: str, servers: Mapping[str, Server]) -> str:
    """Let URLs lead to the private servers; what else says ``localhost``, such as a user's host, means the same."""

    def with_port(url: re.Match[str]) -> str:
        return f"{url[0].removesuffix('localhost')}127.0.0.1:{servers[url[1]].port}"

    return LOCAL_URL.sub(with_port, walk).replace("localhost", "127.0.0.1")


def _as_on_the_page(output: str, servers: Mapping[str, Server]) -> str:
    for server in servers.values():
        output = output.replace(f"127.0.0.1:{server.port}", "localhost")
    return output


@contextmanager
def _empty_server(name: str) -> Iterator[Server]:
    kind, drop_ordinary_user = SERVERS[name]
    server = serve(kind)
    server.durable = True  # As in production: otherwise each store that is opened would warn.
    with server:
        server.execute(drop_ordinary_user)
        yield server


def _fresh_checkout(folder: Path, page: Path) -> Path:
    """Copy what git has, or would take in, and add what a reader of the page has saved."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (CHECKOUT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, folder / name)
    for fence in fences_of(page, "python"):
        if fence.title:
            with (folder / fence.title).open("a", encoding="utf-8") as saved:
                saved.write(f"{fence.text}\n")
    return folder


def _shell(environment: Path, home: Path, servers: Mapping[str, Server]) -> dict[str, str]:
    """Return the variables of a shell where the environment is active, and the servers' clients know where they are."""
    home.mkdir()
    own = Path.home()
    variables = {
        # What pip is told to take from where stays as it is.
        "XDG_CONFIG_HOME": str(own / ".config"),
        "XDG_CACHE_HOME": str(own / ".cache"),
        **{name: value for name, value in os.environ.items() if not name.startswith(OUR_OWN)},
        "PIP_NO_COMPILE": "1",  # Most of what is installed is never imported.
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "HOME": str(home),
        "VIRTUAL_ENV": str(environment),
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    for name, server in servers.items():
        if name == "postgresql":
            variables |= {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": ADMIN, "PGPASSWORD": PASSWORD}
        else:
            client = f'[client]\nhost=127.0.0.1\nport={server.port}\nuser={ADMIN}\npassword="{PASSWORD}"\n'
            (home / ".my.cnf").write_text(client, encoding="utf-8")
    return variables
