"""What is put right beside rows: indexes, the next ids, the journal's mode, and the modes of files."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, Index

from tradestore._sequences import continue_ids
from tradestore.base import ModelBase
from tradestore.exceptions import RepairError
from tradestore.migrations import set_sqlite_to_wal
from tradestore.operations.doctor.findings import Finding
from tradestore.operations.repair.plan import Setting

__all__ = ["SETTING_REASONS", "apply_setting", "settings_for", "undo_setting"]

_FILE, _INDEX, _JOURNAL, _NEXT_ID = "file mode", "index", "journal mode", "next id"
_PRIVATE: Final = "600"

SETTING_REASONS: Final[Mapping[str, str]] = {
    "S02": "questions of every tick need it",
    "S06": "the next row would get an id that is in use",
    "E02": "readers and the writer do not wait for each other then",
    "E09": "trades are nobody else's business",
}
"""Why, by code."""


def settings_for(finding: Finding, file: Path | None) -> Iterator[Setting]:
    """Yield what is to be set because of a finding.

    Args:
        finding: With one of the codes of :data:`SETTING_REASONS`.
        file: Of the database; None for a server or memory.
    """
    if finding.code == "E02":
        yield Setting(kind=_JOURNAL, target=str(file), before=None, after="wal")
        return
    for name, fact in finding.facts.items():
        match finding.code:
            case "S02":
                columns = ", ".join(fact["columns"])
                yield Setting(kind=_INDEX, target=name, before=None, after=f"{fact['table']} ({columns})")
            case "S06":
                yield Setting(kind=_NEXT_ID, target=name, before=str(fact["found"]), after=str(fact["expected"]))
            case "E09" if file is not None:
                path = file.with_name(name)
                yield Setting(kind=_FILE, target=str(path), before=fact["found"], after=_PRIVATE)


def apply_setting(engine: Engine, setting: Setting) -> None:
    """Put one setting right.

    Raises:
        RepairError: If it could not be set.
    """
    try:
        match setting.kind:
            case "file mode":
                Path(setting.target).chmod(int(setting.after, 8))
            case "journal mode":
                set_sqlite_to_wal(engine)
            case "index":
                with engine.begin() as connection:
                    _index(setting.target).create(connection, checkfirst=True)
            case "next id":
                with engine.begin() as connection:
                    continue_ids(connection, ModelBase.metadata.tables[setting.target])
    except OSError as e:
        msg = f"{setting} could not be set ({e}): do it by hand. The rows are repaired, see tradestore repair-log."
        raise RepairError(msg) from e


def undo_setting(engine: Engine, kind: str, target: str, *, before: str | None, after: str) -> bool:
    """Take one setting back where that makes sense.

    Args:
        engine: Of the database.
        kind: As of :class:`Setting`.
        target: Likewise.
        before: What it was.
        after: What it was set to.

    Returns:
        Whether it was. An id that is in use is never to be given out again, and the journal's mode stays: the next bot
        that opens the file sets it anyway.
    """
    if kind == _INDEX:
        with engine.begin() as connection:
            _index(target).drop(connection, checkfirst=True)
        return True
    path = Path(target)
    if kind == _FILE and before and path.exists() and stat.S_IMODE(path.stat().st_mode) == int(after, 8):
        path.chmod(int(before, 8))
        return True
    return False


def _index(name: str) -> Index:
    for table in ModelBase.metadata.tables.values():
        for index in table.indexes:
            if index.name == name:
                return index
    msg = f"There is no index {name!r} among those of the models."
    raise RepairError(msg)
