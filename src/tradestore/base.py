"""The declarative base of all tables, ours and the user's own."""

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Final, Self

from sqlalchemy import Connection, MetaData, String, event
from sqlalchemy.orm import DeclarativeBase, class_mapper
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import DetachedInstanceError, ObjectDeletedError

from tradestore._engine import exact_collation
from tradestore._record import PlainRecord
from tradestore._session import SessionType, scoped
from tradestore._sqltypes import Number, UtcDateTime
from tradestore.constants import TAG_LENGTH

__all__ = ["NAMING_CONVENTION", "ModelBase", "SessionType", "StoredRecord", "compare_every_letter"]

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}
"""Names of keys and indexes, as PostgreSQL gave them in existing databases, so that they can be dropped anywhere."""


_OWN_ROWS: Final = frozenset({"__table__", "__tablename__", "concrete", "polymorphic_identity", "polymorphic_on"})
"""With any of these, a class says itself which rows are its own."""


class ModelBase(DeclarativeBase):
    """Base of every table. A user's own model on it is created by ``init_db`` with the others.

    A column that is only annotated keeps the same value on every engine: ``float`` has 8 bytes, ``datetime`` is UTC
    with microseconds, ``str`` has up to 255 characters.

    Attributes:
        session: The one scoped session of the process, shared by all models; ``init_db`` gives it a database.
    """

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        float: Number(),
        str: String(TAG_LENGTH),
    }
    session: ClassVar[SessionType] = scoped

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Map the class; one that inherits a mapped class and its table shares its objects.

        A row is one object in a session then, of the class that loaded it first.
        """
        inherited: Any = next((base for base in cls.__mro__[1:] if "__mapper__" in vars(base)), None)
        options = vars(cls).get("__mapper_args__", {})
        if (
            inherited is not None
            and inherited.__mapper__.polymorphic_on is None
            and isinstance(options, dict)
            and _OWN_ROWS.isdisjoint({*vars(cls), *options})
        ):
            cls.__mapper_args__ = {**options, "polymorphic_identity": cls}
        super().__init_subclass__(**kwargs)

    def __init__(self, **values: Any) -> None:
        """Build an object from its fields; the defaults of the table hold at once, not only when it is stored.

        Raises:
            TypeError: If a keyword is no attribute of the class.
        """
        for name, value in {**self.column_defaults(), **values}.items():
            if not hasattr(type(self), name) or hasattr(ModelBase, name) or hasattr(PlainRecord, name):
                msg = f"{type(self).__name__}() does not know the keyword argument {name}."
                raise TypeError(msg)
            setattr(self, name, value)

    @classmethod
    def column_defaults(cls) -> Mapping[str, Any]:
        """Return the fixed values that columns have unless told otherwise."""
        return _fixed_defaults(cls)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return an independent object with the same values that belongs to no session; related ones stay behind."""
        twin: Self = class_mapper(type(self)).class_manager.new_instance()
        memo[id(self)] = twin
        # Past the instrumentation: a strategy gets a copy before every callback.
        fields, loaded = twin.__dict__, self.__dict__
        fields.update(self.column_values())
        for name in loaded.keys() - _mapped_names(type(self)):
            fields[name] = copy.deepcopy(loaded[name], memo)
        return twin

    def __copy__(self) -> Self:
        """Return another object with the same values that belongs to no session; related ones stay behind."""
        twin: Self = class_mapper(type(self)).class_manager.new_instance()
        twin.__dict__.update(self.column_values())
        twin.__dict__.update((name, self.__dict__[name]) for name in self.__dict__.keys() - _mapped_names(type(self)))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: also what a rollback left to be read anew, since elsewhere nothing can be read."""
        state = instance_state(self)
        if state.persistent:
            for name in (*state.expired_attributes, *_owner_names(type(self))):
                getattr(self, name)
        return self.__dict__.copy()

    def __repr__(self) -> str:
        """Return the object in one line, also when its row is gone or its session has ended: logs are full of them."""
        try:
            return super().__repr__()
        except (DetachedInstanceError, ObjectDeletedError):
            return f"{type(self).__name__}(of a row that cannot be read: {instance_state(self).identity})"

    def column_values(self) -> dict[str, Any]:
        """Return the columns by the names of their attributes, loading what is not loaded."""
        loaded = self.__dict__
        return {name: loaded[name] if name in loaded else getattr(self, name) for name in _column_names(type(self))}


class StoredRecord(PlainRecord):
    """A plain record that is mapped: what it begins with goes past the instrumentation.

    The row of a new object is written whole, so SQLAlchemy needs no note of each value, and an instrumented attribute
    takes ten times as long to write. Attributes that somebody listens to are set as always. The history of a new object
    shows its values as unchanged.
    """

    def _take_fields(self, values: Mapping[str, Any]) -> None:
        if not self._fields.issuperset(values):
            self._refuse_unknown(values)
        silent, fields = _silent_columns(type(self)), self.__dict__
        for name, value in values.items():
            if name in silent:
                fields[name] = value
            else:
                setattr(self, name, value)


def _silent_columns(kind: type) -> frozenset[str]:
    """Return the columns to which no one listens at this moment."""
    names, events = _column_events(kind)
    heard = [bool(each.set) for each in events]
    known = _SILENT.get(kind)
    if known is None or known[0] != heard:
        silent = frozenset(name for name, is_heard in zip(names, heard, strict=True) if not is_heard)
        known = _SILENT[kind] = heard, silent
    return known[1]


_SILENT: dict[type, tuple[list[bool], frozenset[str]]] = {}


@cache
def _column_events(kind: type) -> tuple[Sequence[str], Sequence[Any]]:
    names = _column_names(kind)
    return names, [getattr(kind, name).dispatch for name in names]


@cache
def _column_names(kind: type) -> tuple[str, ...]:
    return tuple(class_mapper(kind).column_attrs.keys())


@cache
def _mapped_names(kind: type[ModelBase]) -> frozenset[str]:
    """Return the attributes that SQLAlchemy looks after."""
    return frozenset({*class_mapper(kind).attrs.keys(), "_sa_instance_state"})


@cache
def _owner_names(kind: type[ModelBase]) -> tuple[str, ...]:
    """Return the attributes that hold one related object, which is loaded together with the others."""
    related = class_mapper(kind).relationships
    return tuple(each.key for each in related if not each.uselist and each.lazy in {"immediate", "joined", "selectin"})


@cache
def _fixed_defaults(kind: type[ModelBase]) -> Mapping[str, Any]:
    defaults: dict[str, Any] = {name: column.default for name, column in class_mapper(kind).columns.items()}
    return {name: default.arg for name, default in defaults.items() if default is not None and default.is_scalar}


def compare_every_letter(metadata: MetaData, connection: Connection, **_: Any) -> None:
    """Let MariaDB and MySQL tell texts apart as the other engines do: by case, by accent, and by a blank at the end.

    It is to be called before the tables are created.

    Args:
        metadata: Of the tables.
        connection: On which they will be created.
    """
    dialect = connection.dialect
    if dialect.name not in {"mysql", "mariadb"}:
        return
    rules = {"engine": "InnoDB", "charset": "utf8mb4", "collate": exact_collation(dialect)}
    for table in metadata.tables.values():
        for option, value in rules.items():
            table.kwargs[f"{dialect.name}_{option}"] = value


event.listen(ModelBase.metadata, "before_create", compare_every_letter)
