"""The declarative base of all tables, ours and the user's own."""

from typing import ClassVar

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from tradestore._session import SessionType, scoped

__all__ = ["ModelBase", "SessionType"]

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}
"""Names of keys and indexes, the ones that PostgreSQL gave in existing databases, so that they can be dropped anywhere."""

TEXT_RULES = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}
"""MariaDB compares texts as the other engines do: by every letter's case."""


class ModelBase(DeclarativeBase):
    """Base of every table. A user's own model on it is created by ``init_db`` with the others.

    Attributes:
        session: The one scoped session of the process, shared by all models; ``init_db`` gives it a database.
    """

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    session: ClassVar[SessionType] = scoped
