"""An encrypted store, and a look for what can be read of it by somebody without its key."""

from pathlib import Path
from typing import Final

from tests.builders import store, trade_with_entry
from tradestore import Trade, init_db

__all__ = ["SECRET", "readable_files", "write_encrypted_store"]

SECRET: Final = "a tag that nobody may read"
_LOCKS: Final = {".tradestore-backup.lock"}
"""Which have no rows."""


def write_encrypted_store(url: str) -> None:
    """Make a store with one open trade, which has the tag."""
    database = init_db(url)
    store(trade_with_entry(enter_tag=SECRET))
    Trade.session.remove()
    database.close()


def readable_files(folder: Path) -> list[str]:
    """Return the names of files in which the tag can be read, or which SQLite can open without a key."""
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.name not in _LOCKS):
        content = path.read_bytes()
        if SECRET.encode() in content or content.startswith(b"SQLite format 3"):
            found.append(path.name)
    return found
