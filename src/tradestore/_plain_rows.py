"""Plain changes are written as plain rows: one INSERT for each new object, one UPDATE for each kind of change.

SQLAlchemy's unit of work would send the same statements, but finding out which takes it longer than the database needs
to carry them out. What is not as simple as the cases here is left to it, as a whole.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Dialect, Float, Integer, String, Table, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty, Session, class_mapper
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.schema import sort_tables_and_constraints

from tradestore._sqltypes import Number, UtcDateTime, moment_text

__all__ = ["write_rows"]

_Convert = Callable[[Any], Any] | None

_DIALECT: Dialect = sqlite.dialect()
_ROW = "tradestore_row"

# SQLAlchemy has no public name for handing over what was written without it.
_register: Callable[..., None] | None = getattr(Session, "_register_persistent", None)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """How the objects of one class are written.

    Attributes:
        table: The only one of the class.
        rank: Lower for tables that others refer to.
        key: The attribute that holds the row's number.
        columns: All others by the names of their attributes, in the table's order.
        defaulted: Attributes that SQLAlchemy would have to fill in where they are None.
        parents: Attributes that hold an object of a lower rank, its list of objects like this one, and the attribute
            that holds its row's number.
        children: Attributes that hold a list, and the attribute by which its members refer back.
        insert: The statement.
        names: The attributes that hold its values.
        processed: The places of the values that the driver gets in another form, with the function that makes it.
    """

    table: Table
    rank: int
    key: str
    columns: Mapping[str, Column[Any]]
    defaulted: Sequence[str]
    parents: Sequence[tuple[str, str, str]]
    children: Sequence[tuple[str, str | None]]
    insert: str
    names: Sequence[str]
    processed: Sequence[tuple[int, Callable[[Any], Any]]]


def write_rows(session: Session, new: Sequence[Any], changed: Sequence[Any]) -> bool:
    """Write all that a session holds, if all of it is simple enough.

    Args:
        session: Nothing waits in it to be deleted.
        new: All of its objects that have no row yet, with values as :func:`tradestore._sqltypes.storable` returns them.
        changed: All of its other objects that were changed, likewise.

    Returns:
        False if nothing was done, because there is nothing or SQLAlchemy's unit of work is needed.

    Raises:
        StaleDataError: If the row of a changed object is gone.
    """
    if not new and not changed:
        return False
    plans = None if _register is None else _plans(session, {*map(type, new), *map(type, changed)})
    if plans is None or _register is None or (new and not _stand_alone(new, plans)):
        return False
    updates = [_update_of(record, plans[type(record)]) for record in changed]
    if None in updates:
        return False
    connection = session.connection()
    if connection.dispatch.before_execute or connection.dispatch.after_execute:
        return False
    if connection.get_execution_options().get("schema_translate_map"):
        return False
    _update(connection, [update for update in updates if update and update[1]])
    _insert(connection, sorted(new, key=lambda record: plans[type(record)].rank), plans)
    _register(session, {instance_state(record) for record in (*new, *changed)})
    return True


def _plans(session: Session, kinds: Iterable[type]) -> Mapping[type, _Plan] | None:
    """Return the plan of each class, None if one has none or somebody wants to see SQLAlchemy's own work."""
    # On a server each statement is a journey, and SQLAlchemy saves journeys.
    if session.bind is None or session.bind.dialect.name != _DIALECT.name or session.in_nested_transaction():
        return None
    if session.dispatch.before_flush or session.dispatch.after_flush or session.dispatch.after_flush_postexec:
        return None
    plans = {}
    for kind in kinds:
        mapper: Mapper[Any] = class_mapper(kind)
        plan = _plan(mapper, len(mapper.attrs), len(mapper.registry.metadata.tables))
        heard = mapper.dispatch
        if plan is None or heard.before_insert or heard.after_insert or heard.before_update or heard.after_update:
            return None
        if mapper.class_manager.dispatch.refresh_flush:
            return None
        plans[kind] = plan
    return plans


def _stand_alone(new: Sequence[Any], plans: Mapping[type, _Plan]) -> bool:
    """Tell whether new objects need nothing but rows, and are related among each other only."""
    present = set(map(id, new))
    listed = set()
    for record in new:
        fields, plan = record.__dict__, plans[type(record)]
        if fields.get(plan.key) is not None or None in map(fields.get, plan.defaulted):
            return False
        for name, reverse in plan.children:
            for child in fields.get(name) or ():
                if id(child) not in present or child.__dict__.get(reverse) is not record:
                    return False
                listed.add((id(child), id(record), name))
    return all(
        (id(record), id(record.__dict__.get(name)), reverse) in listed
        for record in new
        for name, reverse, _ in plans[type(record)].parents
    )


_Update = tuple[_Plan, frozenset[str], tuple[int, ...], Mapping[str, Any]]


def _update_of(record: Any, plan: _Plan) -> _Update | None:
    """Return which attributes of an object differ from its row, None if that is not a matter of columns alone."""
    state = instance_state(record)
    fields, columns, before = record.__dict__, plan.columns, state.committed_state
    if not (before.keys() <= columns.keys() and before.keys() <= fields.keys()):
        return None
    names = frozenset(
        name for name, value in before.items() if not columns[name].type.compare_values(fields[name], value)
    )
    return plan, names, state.identity or (), fields


def _update(connection: Connection, updates: list[_Update]) -> None:
    updates.sort(key=lambda update: (update[0].rank, update[2]))
    for (plan, names), alike in groupby(updates, key=itemgetter(0, 1)):
        statement, values = _update_statement(plan, names)
        rows = [
            (*[fields[name] if process is None else process(fields[name]) for name, process in values], *identity)
            for _, _, identity, fields in alike
        ]
        matched = connection.exec_driver_sql(statement, rows if len(rows) > 1 else rows[0]).rowcount
        if matched != len(rows):
            msg = (
                f"{len(rows)} rows of table {plan.table.name!r} were to be changed, but {matched} are there: read anew."
            )
            raise StaleDataError(msg)


def _insert(connection: Connection, records: Sequence[Any], plans: Mapping[type, _Plan]) -> None:
    """Write rows; the objects get their numbers after the last one, so that a failure leaves them as they were."""
    given: dict[int, dict[str, int]] = {}
    for record in records:
        plan = plans[type(record)]
        numbers = given[id(record)] = {}
        for name, _, number in plan.parents:
            parent = record.__dict__[name]
            numbers[number] = given[id(parent)][plans[type(parent)].key]
        row = list(map({**record.__dict__, **numbers}.get, plan.names))
        for place, process in plan.processed:
            row[place] = process(row[place])
        numbers[plan.key] = connection.exec_driver_sql(plan.insert, tuple(row)).lastrowid
    for record in records:
        # Past the instrumentation, as SQLAlchemy does it: these are no changes.
        record.__dict__.update(given[id(record)])


@cache
def _plan(mapper: Mapper[Any], _attributes: int, _tables: int) -> _Plan | None:
    """Return how objects of a class are written, None if it takes more than a row of its own.

    Args:
        mapper: The class' own.
        _attributes: How many it has: somebody may add one, which makes another plan.
        _tables: How many there are: another one may come between those of two plans.
    """
    table, key = mapper.local_table, mapper.primary_key[0]
    if not isinstance(table, Table) or not _is_single(mapper, table) or not all(map(_is_plain, table.columns)):
        return None
    parents, children = _parents(mapper), _children(mapper)
    if parents is None or children is None:
        return None
    columns = {name: column for name, column in mapper.columns.items() if column is not key}
    by_column = {column.key: name for name, column in columns.items()}
    compiled = table.insert().inline().compile(dialect=_DIALECT, column_keys=list(by_column))
    names = [by_column[name] for name in compiled.positiontup or ()]
    processes = [(place, _convert_for(columns[name])) for place, name in enumerate(names)]
    return _Plan(
        table=table,
        rank=_rank(mapper),
        key=mapper.get_property_by_column(key).key,
        columns=columns,
        defaulted=[name for name, column in columns.items() if column.default is not None],
        parents=parents,
        children=children,
        insert=str(compiled),
        names=names,
        processed=[(place, process) for place, process in processes if process is not None],
    )


@lru_cache(maxsize=256)
def _update_statement(plan: _Plan, names: frozenset[str]) -> tuple[str, Sequence[tuple[str, _Convert]]]:
    by_column = {plan.columns[name].key: name for name in names}
    statement = plan.table.update().where(plan.table.primary_key.columns[0] == bindparam(_ROW))
    compiled = statement.compile(dialect=_DIALECT, column_keys=list(by_column))
    order = [name for name in compiled.positiontup or () if name != _ROW]
    return str(compiled), [(by_column[name], _convert_for(plan.table.columns[name])) for name in order]


def _is_single(mapper: Mapper[Any], table: Table) -> bool:
    """Tell whether a class has one table, one row for each object, and only columns and relationships."""
    return (
        mapper.inherits is None
        and mapper.polymorphic_on is None
        and mapper.version_id_col is None
        and len(mapper.primary_key) == 1
        and mapper.primary_key[0] is table.autoincrement_column
        and mapper.primary_key[0].default is None
        and all(key.column.primary_key for key in table.foreign_keys)
        and len(mapper.attrs) == len(mapper.relationships) + len(table.columns)
        and {id(column) for column in mapper.columns} == {id(column) for column in table.columns}
    )


def _is_plain(column: Column[Any]) -> bool:
    """Tell whether a column holds what was given, of a type whose values were made fit for storing."""
    return (
        column.onupdate is None
        and column.server_default is None
        and column.server_onupdate is None
        and isinstance(column.type, (Boolean, Float, Integer, Number, String, UtcDateTime))
        and not column.type.should_evaluate_none
    )


def _convert_for(column: Column[Any]) -> _Convert:
    form = column.type.dialect_impl(_DIALECT)
    if type(form) is UtcDateTime:
        return lambda moment: None if moment is None else moment_text(moment)
    # What was made fit for storing is a number already; the driver knows bool as one.
    return None if type(form) in {Boolean, Number} else form.bind_processor(_DIALECT)


def _parents(mapper: Mapper[Any]) -> Sequence[tuple[str, str, str]] | None:
    parents = []
    for related in mapper.relationships:
        if related.direction is RelationshipDirection.ONETOMANY:
            continue
        key = related.mapper.primary_key[0]
        if not (
            related.direction is RelationshipDirection.MANYTOONE
            and _is_by_key(related)
            and related.back_populates
            and _rank(related.mapper) < _rank(mapper)
            and [remote for _, remote in related.local_remote_pairs or ()] == [key]
        ):
            return None
        local = (related.local_remote_pairs or ())[0][0]
        parents.append((related.key, related.back_populates, mapper.get_property_by_column(local).key))
    return parents


def _children(mapper: Mapper[Any]) -> Sequence[tuple[str, str | None]] | None:
    lists = [related for related in mapper.relationships if related.direction is RelationshipDirection.ONETOMANY]
    if all(
        _is_by_key(related)
        and related.uselist
        and related.collection_class in {None, list}
        and related.lazy not in {"dynamic", "write_only"}
        for related in lists
    ):
        return [(related.key, related.back_populates) for related in lists]
    return None


def _rank(mapper: Mapper[Any]) -> int:
    # Unlike the metadata's own list it takes tables that refer to each other without a warning.
    tables = sort_tables_and_constraints(mapper.registry.metadata.tables.values())  # type: ignore[no-untyped-call]
    return [table for table, _ in tables].index(mapper.local_table)


def _is_by_key(related: RelationshipProperty[Any]) -> bool:
    """Tell whether a relationship is nothing but a key in the row of the one side."""
    return not related.viewonly and not related.post_update and related.secondary is None
