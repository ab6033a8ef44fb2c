"""The engine: its version, its settings, and the state of its file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text

from tradestore._engine import is_memory
from tradestore.operations.doctor._look import Look, NotApplicable, finding
from tradestore.operations.doctor.findings import Finding

__all__ = [
    "KNOWN_BUGS",
    "EngineBug",
    "damaged_file",
    "large_log",
    "leftover_journal",
    "local_time",
    "mostly_empty",
    "rare_log_bug",
    "unsafe_version",
    "weak_durability",
    "without_log",
    "without_transactions",
]

_MEBI: Final = 1 << 20
_LARGE_LOG: Final = 64 * _MEBI
_EMPTY_SHARE: Final = 0.25
_FEW_PAGES: Final = 1_000
_TOLD: Final = 10


@dataclass(frozen=True, slots=True)
class EngineBug:
    """A bug of an engine that damages what is stored.

    Attributes:
        product: Of the engine.
        first: The first version that has it.
        fixed: The first version of the same line that has not.
        what: It does.
        source: Where its makers tell of it.
    """

    product: str
    first: tuple[int, int, int]
    fixed: tuple[int, int, int]
    what: str
    source: str


KNOWN_BUGS: Final[Sequence[EngineBug]] = (
    EngineBug(
        "sqlite",
        (3, 35, 0),
        (3, 35, 5),
        "ALTER TABLE DROP COLUMN can damage the file",
        "https://sqlite.org/releaselog/3_35_5.html",
    ),
    EngineBug(
        "postgresql",
        (14, 0, 0),
        (14, 4, 0),
        "indexes made CONCURRENTLY can miss rows; rebuild them after the update",
        "https://www.postgresql.org/docs/14/release-14-4.html",
    ),
    *(
        EngineBug(
            "mariadb",
            first,
            (*first[:2], first[2] + 1),
            "InnoDB can fail to recover after a crash",
            "https://mariadb.org/regressions-in-recent-mariadb-server-releases/",
        )
        for first in ((10, 6, 9), (10, 7, 5), (10, 8, 4), (10, 9, 2))
    ),
    EngineBug(
        "mysql",
        (8, 0, 29),
        (8, 0, 30),
        "recovery can damage tables whose columns were added or dropped instantly",
        "https://docs.percona.com/percona-xtrabackup/8.0/error-message-instant.html",
    ),
)
"""Bugs that make a version unfit for money."""

_LOG_BUG: Final = EngineBug(
    "sqlite",
    (3, 7, 0),
    (3, 51, 3),
    "two connections that write and checkpoint in the same instant can damage a file in WAL mode, very rarely",
    "https://sqlite.org/wal.html#walresetbug",
)
_LOG_BUG_FIXED_BEFORE: Final[Mapping[tuple[int, ...], tuple[int, ...]]] = {(3, 44): (3, 44, 6), (3, 50): (3, 50, 7)}
"""Lines of versions that got the correction as well."""


def damaged_file(look: Look) -> Iterator[Finding]:
    """E01: what the engine itself says of it."""
    look.only("sqlite")
    said = [str(row[0]) for row in look.connection.exec_driver_sql(f"PRAGMA integrity_check({_TOLD})")]
    if said != ["ok"]:
        more = " or more" if len(said) == _TOLD else ""
        detail = f"SQLite found {len(said)}{more} damages: {said[0]}."
        yield finding("E01", detail, facts={str(number): line for number, line in enumerate(said, 1)})


def without_log(look: Look) -> Iterator[Finding]:
    """E02: readers and the writer wait for each other."""
    if _journal_mode(look) != "wal":
        yield finding("E02", f"The journal mode is {_journal_mode(look)}, expected was wal.")


def leftover_journal(look: Look) -> Iterator[Finding]:
    """E03: another program has had the file open in another mode, or a file was copied beside it."""
    file = _beside(look.required_file(), "-journal")
    if _journal_mode(look) == "wal" and file.exists():
        yield finding("E03", f"{file.name} ({file.stat().st_size} bytes) lies beside a file in WAL mode.")


def large_log(look: Look) -> Iterator[Finding]:
    """E04: a reader that never ends keeps it from being taken into the file."""
    log = _beside(look.required_file(), "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LARGE_LOG:
        detail = f"{log.name} has {size // _MEBI} MiB; it usually has up to 4."
        yield finding("E04", detail, facts={"bytes": {"found": size}})


def mostly_empty(look: Look) -> Iterator[Finding]:
    """E05: rows that were deleted have left room that only a vacuum gives back."""
    look.only("sqlite")
    free, pages, page_size = (
        int(look.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("freelist_count", "page_count", "page_size")
    )
    if free > _FEW_PAGES and free > pages * _EMPTY_SHARE:
        detail = f"{free} of {pages} pages are empty, which is {free * page_size // _MEBI} MiB."
        yield finding("E05", detail, facts={"free": {"found": free}, "pages": {"found": pages}})


def unsafe_version(look: Look) -> Iterator[Finding]:
    """E06: its makers have told of it and corrected it."""
    facts = look.facts
    for bug in KNOWN_BUGS:
        if bug.product == facts.product and bug.first <= facts.version < bug.fixed:
            yield _of_bug("E06", facts.version, bug)


def rare_log_bug(look: Look) -> Iterator[Finding]:
    """E15: nearly all files are written by a version that has it, and very few have been damaged."""
    look.only("sqlite")
    version = look.facts.version
    fixed = _LOG_BUG_FIXED_BEFORE.get(version[:2], _LOG_BUG.fixed)
    if _LOG_BUG.first <= version < fixed:
        yield _of_bug("E15", version, _LOG_BUG)


def _of_bug(code: str, version: tuple[int, ...], bug: EngineBug) -> Finding:
    number, fixed = (".".join(map(str, each)) for each in (version, bug.fixed))
    detail = f"{bug.product} {number}: {bug.what}. Corrected in {fixed}; see {bug.source}."
    return finding(code, detail, facts={"version": {"found": number, "expected": fixed}})


def weak_durability(look: Look) -> Iterator[Finding]:
    """E11: after a power cut the last commits may be missing, or pages torn."""
    look.only("postgresql", "mysql")
    expected = {"fsync": "on", "full_page_writes": "on"}
    if look.engine == "mysql":
        expected = {"innodb_flush_log_at_trx_commit": "1", "innodb_doublewrite": "ON"}
        if look.facts.settings.get("log_bin") == "ON":
            expected["sync_binlog"] = "1"
    found = {name: look.facts.settings.get(name, value) for name, value in expected.items()}
    weak = {
        name: {"found": value, "expected": expected[name]} for name, value in found.items() if value != expected[name]
    }
    if weak:
        told = ", ".join(f"{name} = {each['found']} (expected {each['expected']})" for name, each in weak.items())
        yield finding("E11", f"The server is set to {told}.", facts=weak)


def local_time(look: Look) -> Iterator[Finding]:
    """E12: the library's own connections are in UTC all the same."""
    look.only("mysql")
    settings = look.facts.settings
    zone = settings.get("time_zone", "UTC")
    zone = settings.get("system_time_zone", "UTC") if zone == "SYSTEM" else zone
    if zone not in {"UTC", "+00:00", "Etc/UTC", "GMT"}:
        yield finding(
            "E12", f"The server's time zone is {zone}.", facts={"time_zone": {"found": zone, "expected": "UTC"}}
        )


def without_transactions(look: Look) -> Iterator[Finding]:
    """E14: half of a unit of work may be stored, and a crash can damage the table."""
    look.only("mysql")
    query = text(
        "SELECT table_name, engine FROM information_schema.tables "
        "WHERE table_schema = database() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB' ORDER BY table_name"
    )
    found = {name: {"found": kind, "expected": "InnoDB"} for name, kind in look.connection.execute(query)}
    ours = {name: each for name, each in found.items() if name in look.tables}
    if ours:
        told = ", ".join(f"{name} ({each['found']})" for name, each in ours.items())
        yield finding("E14", f"{len(ours)} tables have no transactions: {told}.", facts=ours)


def _journal_mode(look: Look) -> str:
    look.only("sqlite")
    if is_memory(look.connection.engine.url):
        msg = "the database is in memory"
        raise NotApplicable(msg)
    return str(look.connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)
