"""Tables that are no models, described so that any engine can make them."""

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import (
    Column,
    Computed,
    Connection,
    ForeignKeyConstraint,
    Index,
    Inspector,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import NullType, TypeEngine

from tradestore._sqltypes import BigCount, LongText
from tradestore.base import ModelBase
from tradestore.constants import TAG_LENGTH
from tradestore.exceptions import TransferError

__all__ = ["PortableTables"]

logger = logging.getLogger(__name__)

_MYSQL: Final = ("mysql", "mariadb")
_LONGEST_VARCHAR: Final = 4000
"""Characters; the columns of a row of MariaDB share 64 KiB."""
_FIXED_DEFAULT: Final = re.compile(r"\(*(-?\d+(?:\.\d+)?|'(?:[^']|'')*')\)*(?:::[\w \[\]()\"]+)?")

_CHECK_COLUMNS: Final = ("CONSTRAINT_SCHEMA", "TABLE_NAME", "CHECK_CLAUSE")

_Columns = tuple[str, ...]


class PortableTables:
    """Tables of a source, to be made at a target.

    Where both are of one kind, columns keep their types; else they get those that every engine has. Keys, foreign keys,
    indexes and fixed defaults are kept. Columns that a server computes are computed at another one of its kind, too;
    else they keep their values. Views, triggers, checks, and indexes of expressions or of a part of the rows stay
    behind.
    """

    def __init__(self, inspector: Inspector, known: Collection[str], *, is_same_kind: bool, from_sqlite: bool) -> None:
        """Take a source.

        Args:
            inspector: Of the source.
            known: The tables that are transferred; a reference to any other is dropped.
            is_same_kind: Whether the target is of the same kind of engine.
            from_sqlite: Whether the source is SQLite, whose numbers may be longer than their types say.
        """
        self._inspector = inspector
        self._known = known
        self._is_same_kind = is_same_kind
        self._from_sqlite = from_sqlite
        self._checks = _checks_of_mariadb(inspector)

    def add_table(self, name: str, metadata: MetaData) -> Table:
        """Describe a table of the source as it can be made.

        Args:
            name: The table's.
            metadata: To which it is added.

        Raises:
            TransferError: If a column has a type that only its own engine has.
        """
        keys = self._keys(name)
        references = self._references(name)
        parts: list[Any] = [self._column(name, column) for column in self._columns(name)]
        if keys:
            parts.append(PrimaryKeyConstraint(*keys))
        for columns, (referred, their_columns) in references.items():
            parts.append(ForeignKeyConstraint(columns, [f"{referred}.{theirs}" for theirs in their_columns]))
        uniques, indexes = self._uniques(name), self._indexes(name)
        parts += [UniqueConstraint(*columns) for columns in sorted(uniques)]
        # MariaDB makes one for each reference by itself.
        skipped = {*uniques, *references} if self._inspector.dialect.name in _MYSQL else uniques
        parts += [Index(None, *columns) for columns in sorted(indexes - skipped)]
        return Table(name, metadata, *parts)

    def added_column(self, table_name: str, column_name: str) -> Column[Any]:
        """Describe a column that somebody has added to a table of the library; it may be NULL.

        Args:
            table_name: A table of the source.
            column_name: A column of it.

        Raises:
            TransferError: If it has a type that only its own engine has.
        """
        (found,) = (column for column in self._columns(table_name) if column["name"] == column_name)
        return Column(column_name, self._type(table_name, found), nullable=True)

    def _column(self, table_name: str, found: Mapping[str, Any]) -> Column[Any]:
        column_type = self._type(table_name, found)
        computed = found.get("computed")
        # SQLite gives a definition as it was typed, in which nobody can tell where one column's formula ends.
        if computed and self._is_same_kind and not self._from_sqlite:
            return Column(found["name"], column_type, Computed(**computed), nullable=found["nullable"])
        default = _fixed_default(found.get("default"), column_type)
        return Column(found["name"], column_type, nullable=found["nullable"], server_default=default)

    def _type(self, table_name: str, found: Mapping[str, Any]) -> TypeEngine[Any]:
        stored: TypeEngine[Any] = found["type"]
        if self._is_same_kind:
            return self._own_type(stored)
        for columns, (referred, their_columns) in self._references(table_name).items():
            if found["name"] in columns:
                # MariaDB wants the same type on both sides.
                return self._type_of(referred, their_columns[columns.index(found["name"])])
        if self._from_sqlite and (isinstance(stored, NullType) or _is_decimal(stored)):
            stored = self._type_by_content(table_name, found["name"], stored)
        try:
            return self._generic(
                stored, f"{table_name}_{found['name']}", is_key=self._is_key(table_name, found["name"])
            )
        except (NotImplementedError, TypeError):
            msg = (
                f"The column {table_name}.{found['name']} has the type {stored!r}, which only its own engine has. "
                "Nothing was changed: drop the column or the table at the source, or change the type to a common one."
            )
            raise TransferError(msg) from None

    def _type_by_content(self, table_name: str, column_name: str, stored: TypeEngine[Any]) -> TypeEngine[Any]:
        """Return the type of what SQLite has in a column: one of a type unknown to it is a number, such as STRING."""
        kind = sa.func.typeof(sa.column(column_name))
        query = sa.select(kind).distinct().select_from(sa.table(table_name))
        bind: Any = self._inspector.bind
        present = {*bind.scalars(query)} - {"null"}
        if present <= {"integer", "real"} and getattr(stored, "precision", None):
            return stored
        if not present and _is_decimal(stored):
            return sa.Double()
        types: Sequence[tuple[set[str], TypeEngine[Any]]] = (
            ({"integer"}, BigCount),
            ({"integer", "real"}, sa.Double()),
            ({"blob"}, sa.LargeBinary()),
        )
        # What is no text after all is named when its values are looked at.
        return next((each for kinds, each in types if present and present <= kinds), LongText)

    def _type_of(self, table_name: str, column_name: str) -> TypeEngine[Any]:
        if table_name in ModelBase.metadata.tables:
            column_type: TypeEngine[Any] = ModelBase.metadata.tables[table_name].c[column_name].type
            return column_type
        (found,) = (column for column in self._columns(table_name) if column["name"] == column_name)
        return self._type(table_name, found)

    @staticmethod
    def _own_type(stored: TypeEngine[Any]) -> TypeEngine[Any]:
        match stored:
            case NullType():
                # SQLite keeps whatever is put into a column without a type, as into one of bytes.
                return sa.BLOB()
            case sa.Enum(schema=str() as schema):
                # The target need not have the schema.
                return sa.Enum(*stored.enums, name=f"{schema}_{stored.name}")
            case _:
                return stored

    def _generic(self, stored: TypeEngine[Any], name: str, *, is_key: bool) -> TypeEngine[Any]:
        """Return the type of which every engine has its own form, wide enough for the values of the given one."""
        match stored:
            case mysql.SET():
                return LongText
            case sa.Enum():
                return sa.Enum(*stored.enums, name=stored.name or name)
            case sa.String():
                return _text_type(stored.length, is_key=is_key)
            case sa.Numeric() if _is_decimal(stored):
                return self._decimal_type(stored)
            case sa.ARRAY():
                raise NotImplementedError
            case _:
                wide = next((make for family, make in _WIDE_TYPES if isinstance(stored, family)), None)
                return stored.as_generic() if wide is None else wide(stored)

    @staticmethod
    def _decimal_type(stored: sa.Numeric[Any]) -> TypeEngine[Any]:
        if stored.precision is not None:
            return sa.Numeric(stored.precision, stored.scale)
        return sa.Numeric().with_variant(sa.Numeric(65, 30), *_MYSQL)

    def _columns(self, name: str) -> list[Any]:
        return [
            {**column, "type": sa.JSON()} if (name, f"json_valid(`{column['name']}`)") in self._checks else column
            for column in self._inspector.get_columns(name)
        ]

    def _keys(self, name: str) -> _Columns:
        return tuple(self._inspector.get_pk_constraint(name)["constrained_columns"])

    def _references(self, name: str) -> dict[_Columns, tuple[str, _Columns]]:
        return {
            tuple(found["constrained_columns"]): (found["referred_table"], tuple(found["referred_columns"]))
            for found in self._inspector.get_foreign_keys(name)
            if found["referred_table"] in self._known and found["referred_columns"]
        }

    def _uniques(self, name: str) -> set[_Columns]:
        constraints = {tuple(found["column_names"]) for found in self._inspector.get_unique_constraints(name)}
        return constraints | {columns for columns, is_unique in self._plain_indexes(name) if is_unique}

    def _indexes(self, name: str) -> set[_Columns]:
        return {columns for columns, is_unique in self._plain_indexes(name) if not is_unique}

    def _plain_indexes(self, name: str) -> set[tuple[_Columns, bool]]:
        plain = set()
        for found in self._inspector.get_indexes(name):
            options = found.get("dialect_options", {})
            if None in found["column_names"] or any(key.endswith("_where") for key in options):
                logger.warning("The index %s of table %s stays behind.", found["name"], name)
            else:
                plain.add((tuple(str(column) for column in found["column_names"]), bool(found["unique"])))
        return plain

    def _is_key(self, table_name: str, column_name: str) -> bool:
        keys = {self._keys(table_name), *self._uniques(table_name), *self._indexes(table_name)}
        return any(column_name in columns for columns in keys)


def _checks_of_mariadb(inspector: Inspector) -> set[tuple[str, str]]:
    """Return table and text of each check, by one of which MariaDB tells JSON from any other long text."""
    dialect, bind = inspector.dialect, inspector.bind
    if not getattr(dialect, "is_mariadb", False) or not isinstance(bind, Connection):
        return set()
    checks = sa.table("CHECK_CONSTRAINTS", *map(sa.column, _CHECK_COLUMNS), schema="information_schema")
    query = sa.select(checks.c.TABLE_NAME, checks.c.CHECK_CLAUSE)
    here = sa.func.database() == checks.c.CONSTRAINT_SCHEMA
    return {(row.TABLE_NAME, row.CHECK_CLAUSE) for row in bind.execute(query.where(here))}


def _is_decimal(stored: TypeEngine[Any]) -> bool:
    return isinstance(stored, sa.Numeric) and not isinstance(stored, sa.Float)


def _text_type(length: int | None, *, is_key: bool) -> TypeEngine[Any]:
    if is_key:
        # MariaDB has no keys of texts without a length.
        return sa.String(length).with_variant(sa.String(length or TAG_LENGTH), *_MYSQL)
    return sa.String(length) if length is not None and length <= _LONGEST_VARCHAR else LongText


def _moment_type(stored: TypeEngine[Any]) -> TypeEngine[Any]:
    moment = sa.DateTime(timezone=getattr(stored, "timezone", False))
    return moment.with_variant(mysql.DATETIME(fsp=6), *_MYSQL)


_WIDE_TYPES: Final[Sequence[tuple[type[TypeEngine[Any]], Callable[[Any], TypeEngine[Any]]]]] = (
    (sa.Float, lambda _: sa.Double()),
    (sa.Boolean, lambda _: sa.Boolean()),
    (sa.Integer, lambda _: BigCount),
    (sa.DateTime, _moment_type),
    (sa.Time, lambda _: sa.Time().with_variant(mysql.TIME(fsp=6), *_MYSQL)),
    *(
        (family, lambda _: sa.LargeBinary().with_variant(mysql.LONGBLOB(), *_MYSQL))
        for family in (sa.LargeBinary, sa.BINARY, sa.VARBINARY)
    ),
    (sa.JSON, lambda _: sa.JSON()),
)


def _fixed_default(given: Any, column_type: TypeEngine[Any]) -> Any:
    """Return a default that is a number or a text, in the way of every engine; None for any other."""
    found = _FIXED_DEFAULT.fullmatch(str(given)) if given is not None else None
    if isinstance(column_type, sa.Boolean):
        words = {"0": sa.false(), "false": sa.false(), "1": sa.true(), "true": sa.true()}
        return words.get(str(given).strip("()'").lower())
    return None if found is None else sa.text(found.group(1).replace(":", r"\:"))
