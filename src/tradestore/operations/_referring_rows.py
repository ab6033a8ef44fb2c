"""Rows of a user's own tables that refer to trades or orders which are to be deleted.

An engine may delete them as well, or take their reference away, as the table says; or refuse all of it. Nothing of
this is done unasked: who deletes looks here first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, column, func, inspect, not_, or_, select, table

__all__ = ["REMEDY", "Leaving", "Reference", "leaving_with", "refer_to_leaving", "references_of_others"]

Leaving = Mapping[str, tuple[str, Sequence[int] | Select[int]]]
"""By table, in which column which values stand of the rows that are to be deleted."""

REMEDY: Final = "keep such rows elsewhere and delete them here, or empty their reference, then do it again."
"""What to do about them, as the end of a message."""

_BELONGING: Final = ("orders", "trade_custom_data")
_LOOSE: Final = ("order_intents", ("ft_trade_id",))
"""A reference of ours that is taken away on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A foreign key to a table of trades, orders, or what is remembered about them.

    Attributes:
        schema: Of the table that refers; None for the one that the store is in.
        name: Of that table.
        columns: Of it.
        referred: The table that is referred to.
        referred_columns: Of that one.
    """

    schema: str | None
    name: str
    columns: tuple[str, ...]
    referred: str
    referred_columns: tuple[str, ...]

    def __str__(self) -> str:
        """Return what is referred to, and by which columns."""
        name = self.name if self.schema is None else f"{self.schema}.{self.name}"
        return f"{self.referred} by {name}.{', '.join(self.columns)}"


def leaving_with(trade_ids: Sequence[int] | Select[int]) -> Leaving:
    """Return which rows are deleted with trades."""
    return {"trades": ("id", trade_ids), **dict.fromkeys(_BELONGING, ("ft_trade_id", trade_ids))}


def references_of_others(connection: Connection) -> Sequence[Reference]:
    """Return by what rows may refer to trades, orders, or what is remembered about them."""
    inspector = inspect(connection)
    # On PostgreSQL a bot's other tables may well stand in another schema.
    others = inspector.get_schema_names() if connection.dialect.name == "postgresql" else []
    default = inspector.default_schema_name
    ours = {"trades", *_BELONGING}
    found = []
    for schema in (None, *(each for each in others if each not in {default, "information_schema"})):
        for (_, name), keys in inspector.get_multi_foreign_keys(schema=schema).items():
            for key in keys:
                # SQLite takes a name in whatever case it is written.
                referred = (
                    key["referred_table"].lower() if connection.dialect.name == "sqlite" else key["referred_table"]
                )
                reference = Reference(
                    schema=schema,
                    name=name,
                    columns=tuple(key["constrained_columns"]),
                    referred=referred,
                    referred_columns=tuple(key["referred_columns"]),
                )
                is_here = key["referred_schema"] in {None, default}
                if is_here and referred in ours and (name, reference.columns) != _LOOSE:
                    found.append(reference)
    return found


def refer_to_leaving(connection: Connection, references: Sequence[Reference], leaving: Leaving) -> Iterator[str]:
    """Yield in words which rows that stay refer to rows that are to be deleted.

    Args:
        connection: In a transaction in which nobody adds any, where that matters.
        references: Of :func:`references_of_others`.
        leaving: What is to be deleted.
    """
    for each in references:
        if each.referred in leaving and (rows := _count(connection, each, leaving)):
            yield f"{rows} {'row refers' if rows == 1 else 'rows refer'} to {each}"


def _count(connection: Connection, reference: Reference, leaving: Leaving) -> int:
    owner, _ = leaving[reference.referred]
    referred = _light(None, reference.referred, {*reference.referred_columns, owner}).alias("referred")
    stays = leaving.get(reference.name) if reference.schema is None else None
    names = {*reference.columns} if stays is None else {*reference.columns, stays[0]}
    referring = _light(reference.schema, reference.name, names).alias("referring")
    pairs = zip(reference.columns, reference.referred_columns, strict=True)
    conditions = [_is_leaving(referred, leaving[reference.referred])]
    if stays is not None:
        conditions.append(or_(referring.c[stays[0]].is_(None), not_(_is_leaving(referring, stays))))
    joined = and_(*(referring.c[here] == referred.c[there] for here, there in pairs))
    query = select(func.count()).select_from(referring.join(referred, joined)).where(*conditions)
    return connection.scalar(query) or 0


def _is_leaving(rows: Any, leaving: tuple[str, Sequence[int] | Select[int]]) -> ColumnElement[bool]:
    name, values = leaving
    condition: ColumnElement[bool] = rows.c[name].in_(values)
    return condition


def _light(schema: str | None, name: str, columns: set[str]) -> Any:
    return table(name, *map(column, sorted(columns)), schema=schema)
