"""The version of a store's tables, as an operator changes it: what would be done, doing it, and the way back.

``init_db`` brings a store up to date whenever a bot opens it. These do it by themselves, before any bot does, and say
what was done.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Engine

from tradestore._engine import masked, take_write_lock
from tradestore._errors import meaningful_errors
from tradestore._revisions import refuse_loss, refuse_unknown, resolve, summaries
from tradestore.adoption.hidden_rows import BACKUP_NAMES
from tradestore.base import ModelBase
from tradestore.exceptions import MigrationError, SchemaTooNew
from tradestore.migrations import HEAD, Scan, SchemaState, current, downgrade, scan
from tradestore.models import prepare_tables, present_tables, refuse_half_a_copy
from tradestore.operations._row_counts import row_counts
from tradestore.operations.opening import Place, connected, file_of_url, has_tables_of_ours, refuse_no_store

__all__ = [
    "Revision",
    "SchemaChange",
    "SchemaPlan",
    "downgrade_schema",
    "plan_downgrade",
    "plan_upgrade",
    "read_history",
    "upgrade_schema",
]

_BACKUP_MARK: Final = ".bak"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaPlan:
    """What a change of the tables would do.

    Attributes:
        url: Of the database, without its password.
        state: How it stands to this version of the library.
        revision: Its stamp; None without one.
        target: The revision that it would be at; None for no tables at all.
        steps: What would be done, in words, in its order.
        blockers: Why it would be refused instead, in words; empty if it would not be.
        rows: How many rows our tables, and backups that upgrades by other layers made, have now, by their
            names; empty for the way back.
    """

    url: str
    state: SchemaState
    revision: str | None
    target: str | None
    steps: tuple[str, ...]
    blockers: tuple[str, ...]
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaChange:
    """What a change of the tables has done.

    Attributes:
        url: Of the database, without its password.
        before: The revision that it was at; None without a stamp.
        after: The revision that it is at now; None without a stamp.
        steps: What was done, in words; empty if there was nothing to do.
        backups: The verified copies of an SQLite file that were written before.
    """

    url: str
    before: str | None
    after: str | None
    steps: tuple[str, ...]
    backups: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A version of the tables.

    Attributes:
        name: Its name.
        summary: What it brought.
        is_current: Whether it is the one that the database is at.
    """

    name: str
    summary: str
    is_current: bool


def plan_upgrade(place: Place, *, create: bool = False) -> SchemaPlan:
    """Say what would bring a store up to date; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        create: Whether an empty database, or one of another program, is to get the tables of a store.

    Raises:
        DatabaseUnreachable: If there is no such database; a file that is to be created may be missing.
        TransferError: If a transfer into it was cut short.
        DatabaseBusy: If others keep it locked.
    """
    with connected(place, is_reader=True, may_be_missing=create) as engine:
        if _is_missing(engine):
            empty = Scan(state=SchemaState.EMPTY, revision=None, steps=["create the file"])
            return _plan(engine.url, empty, HEAD, {})
        present = present_tables(engine)
        refuse_half_a_copy(engine, present)
        found = scan(engine)
        blockers = list(found.blockers)
        if not create and not present:
            blockers.append("it has no tables: a bot makes them when it starts, or give --create")
        if not create and present and not has_tables_of_ours(present):
            blockers.append("it is of another program: correct the URL, or give --create to keep a store beside that")
        return _plan(engine.url, found, HEAD, _rows_in(engine, present), blockers)


def upgrade_schema(place: Place, *, create: bool = False) -> SchemaChange:
    """Bring a store up to date, as ``init_db`` does it: after a verified backup, all the way or not at all.

    Args:
        place: As for :func:`plan_upgrade`.
        create: Likewise.

    Raises:
        SchemaTooNew: If a newer version wrote the database.
        MigrationError: If something is in the way; the message says what, and the database is as it was.
        DatabaseReadOnly: If the file, or its folder, may not be written to.
        OperationalException: As :func:`plan_upgrade` raises it.
        DatabaseBusy: Likewise.
    """
    plan = plan_upgrade(place, create=create)
    _refuse_blocked(plan)
    if not plan.steps:
        return SchemaChange(url=plan.url, before=plan.revision, after=plan.revision, steps=(), backups=())
    with _changing(place, may_be_missing=create) as engine, _backups_of(engine.url) as backups:
        prepare_tables(engine, present_tables(engine))
        after = current(engine)
    return SchemaChange(url=plan.url, before=plan.revision, after=after, steps=plan.steps, backups=tuple(backups))


def plan_downgrade(place: Place, revision: str) -> SchemaPlan:
    """Say what would bring a store's tables back to an older revision; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        revision: Which one, or the beginning of its name, or ``-1``; ``base`` for none, which removes all tables.

    Raises:
        SchemaTooNew: If the database is stamped with an unknown revision.
        MigrationError: If there is no such revision, or the database has no stamp or is older than that.
        OperationalException: As :func:`plan_upgrade` raises it.
        DatabaseBusy: If others keep it locked.
    """
    with _reading_stamped(place) as engine:
        stamped = current(engine)
        if stamped is None:
            msg = (
                f"{masked(engine.url)} has no stamp of a revision, so there is no way back: see `tradestore upgrade "
                "--plan`."
            )
            raise MigrationError(msg)
        target = resolve(revision, stamped)
        known = [None, *(each.name for each in _revisions(stamped))]
        start, end = known.index(stamped), known.index(target)
        if end > start:
            msg = f"{masked(engine.url)} is at {stamped}, which is older than {target}: use `tradestore upgrade`."
            raise MigrationError(msg)
        path = [each for each in known[end + 1 : start + 1][::-1] if each is not None]
        found = Scan(
            state=SchemaState.CURRENT if stamped == HEAD else SchemaState.OLDER,
            revision=stamped,
            steps=[f"take back revision {each}" for each in path],
            blockers=_losses(engine, path),
        )
        return _plan(engine.url, found, target, {})


def downgrade_schema(place: Place, revision: str) -> SchemaChange:
    """Bring a store's tables back to an older revision, after a verified backup, all the way or not at all.

    What the older tables cannot hold is never dropped: as long as there are rows of that kind, it is refused.

    Args:
        place: A database URL, or the database that is open.
        revision: As for :func:`plan_downgrade`.

    Raises:
        MigrationError: If rows are in the way, the message says which; the database is as it was.
        DatabaseReadOnly: If the file, or its folder, may not be written to.
        OperationalException: As :func:`plan_downgrade` raises it.
        DatabaseBusy: Likewise.
    """
    plan = plan_downgrade(place, revision)
    _refuse_blocked(plan)
    if not plan.steps:
        return SchemaChange(url=plan.url, before=plan.revision, after=plan.revision, steps=(), backups=())
    with _changing(place) as engine, _backups_of(engine.url) as backups, meaningful_errors():
        downgrade(engine, plan.target or "base")
        after = current(engine)
    return SchemaChange(url=plan.url, before=plan.revision, after=after, steps=plan.steps, backups=tuple(backups))


def read_history(place: Place) -> tuple[Revision, ...]:
    """Return all revisions, the oldest first, and which of them a store is at; nothing is changed.

    Args:
        place: A database URL, or the database that is open.

    Raises:
        SchemaTooNew: If the database is stamped with an unknown revision.
        OperationalException: As :func:`plan_upgrade` raises it.
        DatabaseBusy: If others keep it locked.
    """
    with _reading_stamped(place) as engine:
        return _revisions(current(engine))


def _losses(engine: Engine, path: list[str]) -> list[str]:
    """Tell which rows are in the way of taking revisions back."""
    with engine.connect() as connection:
        try:
            refuse_loss(connection, path)
        except MigrationError as e:
            return [str(e)]
    return []


def _revisions(stamped: str | None) -> tuple[Revision, ...]:
    return tuple(
        Revision(name=name, summary=summary, is_current=name == stamped) for name, summary in summaries().items()
    )


def _rows_in(engine: Engine, present: Iterable[str]) -> Mapping[str, int]:
    """Count the rows of our tables, and of those that older layers kept; another program's may be closed to us."""
    ours = ModelBase.metadata.tables
    with engine.connect() as connection:
        return row_counts(connection, [name for name in present if name in ours or BACKUP_NAMES.fullmatch(name)])


def _plan(
    url: URL, found: Scan, target: str | None, rows: Mapping[str, int], blockers: list[str] | None = None
) -> SchemaPlan:
    return SchemaPlan(
        url=masked(url),
        state=found.state,
        revision=found.revision,
        target=target,
        steps=tuple(found.steps),
        blockers=tuple(found.blockers if blockers is None else blockers),
        rows=rows,
    )


def _refuse_blocked(plan: SchemaPlan) -> None:
    if plan.blockers:
        kind = SchemaTooNew if plan.state is SchemaState.NEWER else MigrationError
        reasons = "; ".join(each.removesuffix(".") for each in plan.blockers)
        comfort = "" if "Nothing was changed" in reasons else " Nothing was changed."
        msg = f"{plan.url} cannot be brought to {plan.target or 'base'}: {reasons}.{comfort}"
        raise kind(msg)


def _is_missing(engine: Engine) -> bool:
    file = file_of_url(engine.url)
    return file is not None and not file.exists()


@contextmanager
def _reading_stamped(place: Place) -> Iterator[Engine]:
    """Open a store of any version up to this one, or one without a stamp."""
    with connected(place, is_reader=True) as engine:
        present = present_tables(engine)
        refuse_half_a_copy(engine, present)
        refuse_no_store(engine, present)
        with engine.connect() as connection:
            refuse_unknown(connection)
        yield engine


@contextmanager
def _changing(place: Place, *, may_be_missing: bool = False) -> Iterator[Engine]:
    """Open a database to change its tables, unless somebody is just writing to it."""
    with connected(place, is_reader=False, may_be_missing=may_be_missing) as engine:
        if not _is_missing(engine):
            # What changes tables would wait for minutes: a bot has to start, an operator can come back.
            with meaningful_errors(), engine.begin() as connection:
                take_write_lock(connection)
        yield engine


@contextmanager
def _backups_of(url: URL) -> Iterator[list[Path]]:
    """Yield a list that has at the end of the block the backups of an SQLite file that were written in it."""
    file = file_of_url(url)
    found: list[Path] = []
    before = set(_backups(file))
    yield found
    found += sorted(set(_backups(file)) - before)


def _backups(file: Path | None) -> list[Path]:
    if file is None or not file.parent.is_dir():
        return []
    return [
        each for each in file.parent.iterdir() if each.name.startswith(f"{file.name}.") and _BACKUP_MARK in each.suffix
    ]
