"""PostgreSQL's COPY, which takes rows as text: how values are written there, and how both drivers send them."""

from collections.abc import Sequence
from io import StringIO
from types import NoneType
from typing import Any, Final

__all__ = ["COPY_DATA", "copy_data", "copy_text"]

COPY_DATA: Final = "tradestore_copy_data"
"""The execution option with which a ``COPY ... FROM STDIN`` gets the text of :func:`copy_text`."""

_CHUNK: Final = 1 << 20
_NULL: Final = r"\N"
_ESCAPES: Final = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_FLAGS: Final = {True: "t", False: "f", None: _NULL}


def copy_text(columns: Sequence[Sequence[Any]]) -> str:
    """Return rows in the text format of COPY.

    Args:
        columns: The values of each column, of one type and None: bool, int, float (finite) or str.
    """
    lines = map("\t".join, zip(*map(_texts, columns), strict=True))
    return "".join(f"{line}\n" for line in lines)


def _texts(values: Sequence[Any]) -> Sequence[str]:
    kinds = set(map(type, values))
    if kinds == {NoneType}:
        return [_NULL] * len(values)
    if bool in kinds:
        return list(map(_FLAGS.__getitem__, values))
    if str in kinds:
        return _escaped(values, has_none=NoneType in kinds)
    if NoneType in kinds:
        return [_NULL if value is None else repr(value) for value in values]
    # The shortest text that gives the same number again.
    return list(map(repr, values))


def _escaped(values: Sequence[str | None], *, has_none: bool) -> Sequence[Any]:
    distinct = {text for text in values if text is not None}
    together = "".join(distinct)
    forms: dict[str | None, str] = {None: _NULL}
    if any(special in together for special in _ESCAPES):
        table = str.maketrans(_ESCAPES)
        forms.update((text, text.translate(table)) for text in distinct)
    elif not has_none:
        return values
    return [forms.get(text, text) for text in values]


def copy_data(cursor: Any, statement: str, _parameters: Any, context: Any) -> bool:
    """Send the data that a statement was given along with it; any other statement is left to the driver."""
    data = context.execution_options.get(COPY_DATA)
    if data is None:
        return False
    if hasattr(cursor, "copy_expert"):
        cursor.copy_expert(statement, StringIO(data), _CHUNK)
    else:
        with cursor.copy(statement) as copy:
            copy.write(data)
    return True
