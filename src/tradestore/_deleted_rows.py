"""Objects whose rows were deleted leave the lists of those that they belonged to."""

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import RelationshipDirection, Session, object_mapper
from sqlalchemy.orm.attributes import flag_dirty

__all__ = ["leave_lists"]


def leave_lists(session: Session, deleted: Collection[Any]) -> None:
    """Take deleted objects out of the loaded lists that they stand in: a trade's state comes from its list of orders.

    Lists of objects that were deleted themselves stay whole, for whoever wants to tell of them.

    Args:
        session: In which they were.
        deleted: Their rows are gone.
    """
    gone = set(map(id, deleted))
    for owner, name in _lists_of(deleted, gone):
        members = owner.__dict__[name]
        # Past the instrumentation, which would take it for a change.
        list.__setitem__(members, slice(None), [member for member in members if id(member) not in gone])
        if session.in_nested_transaction():
            # Giving up the savepoint brings the row back, and reads anew only what was touched.
            flag_dirty(owner)


def _lists_of(deleted: Collection[Any], gone: set[int]) -> list[tuple[Any, str]]:
    found: dict[tuple[int, str], tuple[Any, str]] = {}
    for record in deleted:
        for related in object_mapper(record).relationships:
            owner, name = record.__dict__.get(related.key), related.back_populates
            if related.direction is not RelationshipDirection.MANYTOONE or owner is None or name is None:
                continue
            if id(owner) not in gone and isinstance(owner.__dict__.get(name), list):
                found[id(owner), name] = owner, name
    return list(found.values())
