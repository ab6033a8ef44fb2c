"""Defects of the engine, its file and its machine."""

import os
import sqlite3
from datetime import timedelta

from tests.doctor.defects.table import Ids, defect
from tests.doctor.planting import OPENED, Bed, facts_of


@defect("E01", "sqlite", is_alone=True)
def damaged(bed: Bed) -> Ids:
    """A page that belongs to nothing."""
    bed.run("CREATE TABLE scratch (id INTEGER)")
    bed.change_schema(lambda connection: connection.execute("DELETE FROM sqlite_master WHERE name = 'scratch'"))
    return []


@defect("E02", "sqlite", is_alone=True)
def without_log(bed: Bed) -> Ids:
    """Set by another program."""
    bed.database.engine.dispose()
    connection = sqlite3.connect(bed.file)
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    connection.close()
    return []


@defect("E03", "sqlite")
def journal(bed: Bed) -> Ids:
    """Of a copy that lay here before."""
    bed.file.with_name(f"{bed.file.name}-journal").touch(0o600)
    return []


@defect("E04", "sqlite", is_alone=True)
def large_log(bed: Bed) -> Ids:
    """Behind a reader that never ends."""
    connection = sqlite3.connect(bed.file)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM trades").fetchall()
    bed.held.append(connection)
    bed.add_closed()
    # What lies behind the last frame is not read.
    os.truncate(bed.file.with_name(f"{bed.file.name}-wal"), 65 << 20)
    return []


@defect("E05", "sqlite")
def empty_pages(bed: Bed) -> Ids:
    """Five megabytes were deleted."""
    bed.run("CREATE TABLE scratch (data BLOB)")
    bed.run("INSERT INTO scratch VALUES (zeroblob(5000000))")
    bed.run("DROP TABLE scratch")
    return []


@defect("E06", also=(("E15", "so old a version of SQLite has both bugs"),), is_alone=True)
def unsafe_version(bed: Bed) -> Ids:
    """By the seam for what the engine says of itself."""
    versions = {"sqlite": (3, 35, 2), "postgresql": (14, 3, 0), "mysql": (10, 6, 9)}
    bed.surround(engine_facts=facts_of(version=versions[bed.engine]))
    return []


@defect("E07", "sqlite")
def network(bed: Bed) -> Ids:
    """By the seam for the list of what is mounted."""
    mounts = bed.folder / "network mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/share {bed.file.parent.resolve()} nfs4 rw 0 0\n")
    bed.surround(mounts=mounts)
    return []


@defect("E08", "sqlite")
def synchronised(bed: Bed) -> Ids:
    """The folder has Syncthing's mark."""
    (bed.file.parent / ".stfolder").mkdir()
    return []


@defect("E09", "sqlite", is_alone=True)
def readable(bed: Bed) -> Ids:
    """As most programs make files."""
    bed.file.chmod(0o644)
    return []


@defect("E10")
def old_backup(bed: Bed) -> Ids:
    """The youngest is from March."""
    folder = bed.folder / "backups"
    folder.mkdir()
    backup = folder / "store.sqlite"
    backup.write_bytes(b"backup")
    os.utime(backup, (OPENED.timestamp(), OPENED.timestamp()))
    bed.arguments |= {"backups": folder, "max_backup_age": timedelta(days=3)}
    return []


@defect("E11", "postgresql", "mysql", is_alone=True)
def weak(bed: Bed) -> Ids:
    """By the seam for what the engine says of itself."""
    bed.surround(engine_facts=facts_of(fsync="off", innodb_flush_log_at_trx_commit="2"))
    return []


@defect("E12", "mysql", is_alone=True)
def local_time(bed: Bed) -> Ids:
    """By the seam for what the engine says of itself."""
    bed.surround(engine_facts=facts_of(system_time_zone="CET"))
    return []


@defect("E13", "sqlite")
def full(bed: Bed) -> Ids:
    """By the seam for the room that is left."""
    bed.surround(free_bytes=lambda _: 5 << 20)
    return []


@defect("E14", "mysql")
def without_transactions(bed: Bed) -> Ids:
    """As some servers make tables by themselves."""
    bed.run("ALTER TABLE wallet_history ENGINE = Aria")
    return []


@defect("E15", "sqlite", is_alone=True)
def rare_bug(bed: Bed) -> Ids:
    """By the seam for what the engine says of itself."""
    bed.surround(engine_facts=facts_of(version=(3, 40, 1)))
    return []
