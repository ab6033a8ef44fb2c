"""Encrypted stores under every tool of an operator's: none of them leaves a readable byte beside the file."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlcipher3

from tests.builders import local_order, local_trade, store, trade_with_entry
from tests.ciphers import quick_keys
from tradestore import Trade, init_db
from tradestore.exceptions import BackupError, DatabaseBusy, TargetNotEmpty
from tradestore.operations import transfer
from tradestore.operations.archive import archive, unarchive
from tradestore.operations.backup import Kind, back_up, restore, verify_backup
from tradestore.operations.content import content_hash
from tradestore.operations.doctor import diagnose
from tradestore.operations.encryption import url_with_key
from tradestore.operations.optimize import optimize
from tradestore.operations.status import read_status

KEY = "the \"key\" 'of' %25 this ключ"
SECRET = "a tag that nobody may read"


@pytest.fixture(scope="module", autouse=True)
def _quick_keys() -> Iterator[None]:
    with quick_keys():
        yield


@pytest.fixture(autouse=True)
def _temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scratch lie where the test looks, too."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))


@pytest.fixture
def secret_url(tmp_path: Path) -> str:
    """Return the URL of an encrypted store with an open trade, which has the tag, and closed ones."""
    url = url_with_key(tmp_path / "secret.sqlite", KEY)
    database = init_db(url)
    trade = trade_with_entry()
    trade.enter_tag = SECRET
    store(trade)
    Trade.session.remove()
    database.close()
    return url


def readable(folder: Path) -> list[str]:
    """Return the files in which the tag can be read, or which SQLite itself can open."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".tradestore-backup.lock"]
    heads = [(path, path.read_bytes()) for path in files]
    return [path.name for path, content in heads if SECRET.encode() in content or content.startswith(b"SQLite format")]
