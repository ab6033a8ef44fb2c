"""What the tests of operations share: a furnished source beside the engine under test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.capabilities import Backend
from tests.operations.furniture import furnish
from tradestore.operations.backup import Backup, back_up

NewUrl = Callable[[], str]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that has something of everything, to be copied."""
    file = tmp_path_factory.mktemp("furnished") / "source.sqlite"
    furnish(f"sqlite:///{file}")
    return file


@pytest.fixture
def source_url(furnished: Path, tmp_path: Path) -> str:
    """Return the URL of a file that has something of everything."""
    return f"sqlite:///{shutil.copy(furnished, tmp_path / 'source.sqlite')}"


@pytest.fixture(scope="session")
def furnished_backup(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """Return a backup of that file, to be copied."""
    return back_up(f"sqlite:///{furnished}", tmp_path_factory.mktemp("backed-up"))


@pytest.fixture
def made(furnished_backup: Backup, tmp_path: Path) -> Backup:
    """Return a backup of a file that has something of everything."""
    folder = shutil.copytree(furnished_backup.path.parent, tmp_path / "backups")
    return Backup(folder / furnished_backup.path.name, furnished_backup.manifest)


@pytest.fixture
def new_file(tmp_path: Path) -> NewUrl:
    """Return a function that gives the URL of another file each time."""
    numbers = iter(range(100))
    return lambda: f"sqlite:///{tmp_path / f'file{next(numbers)}.sqlite'}"


@pytest.fixture
def other_url(backend: Backend, request: pytest.FixtureRequest, new_file: NewUrl) -> str:
    """Return the URL of a second empty database on the engine under test."""
    if not backend.networked:
        return new_file()
    server = request.getfixturevalue("server")
    server.create_database("tradestore_other")
    url: str = server.url(backend.scheme, "tradestore_other")
    return url
