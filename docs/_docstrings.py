"""Makes docstrings ready to be read as pages: links, and the meaning of fields that is written elsewhere."""

import re
from collections.abc import Mapping
from typing import Any, Final

import griffe

from tradestore._exported_columns import EXPORTED_TABLES, ColumnType, ExportedColumn

ROLE: Final = re.compile(r":(?:attr|class|data|func|meth|mod):`~?([\w.]+)`")
TABLE_OF: Final[Mapping[str, str]] = {
    "tradestore.trade_model.Trade": "trades",
    "tradestore.local_trade.LocalTrade": "trades",
    "tradestore._order_model.Order": "orders",
    "tradestore.local_order.LocalOrder": "orders",
    "tradestore.pairlock.PairLock": "locks",
    "tradestore.wallet_history.WalletHistory": "wallet_history",
}
PYTHON: Final[Mapping[ColumnType, str]] = {
    ColumnType.COUNT: "int",
    ColumnType.NUMBER: "float",
    ColumnType.TEXT: "str",
    ColumnType.FLAG: "bool",
    ColumnType.MOMENT: "datetime",
}


class Docstrings(griffe.Extension):
    """Goes through all docstrings once, after all names are known."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Complete the docstrings of a package."""
        for path, table in TABLE_OF.items():
            _tell_fields(pkg[path.removeprefix("tradestore.")], EXPORTED_TABLES[table].columns)
        _complete(pkg)


def _tell_fields(model: griffe.Class, columns: tuple[ExportedColumn, ...]) -> None:
    """Let a class say what its fields mean, as the export does."""
    text = model.docstring.value.rstrip() if model.docstring else ""
    lines = [text] if "Attributes:" in text else [text, "", "Attributes:"]
    lines += [f"    {each.name} ({PYTHON[each.type]}): {_sentence(each.meaning)} ({each.unit})." for each in columns]
    model.docstring = griffe.Docstring("\n".join(lines), parent=model)


def _sentence(meaning: str) -> str:
    return meaning[0].upper() + meaning[1:]


def _complete(thing: griffe.Object) -> None:
    if thing.docstring:
        thing.docstring.value = ROLE.sub(lambda role: _link(thing, role[1]), thing.docstring.value)
    is_enumeration = isinstance(thing, griffe.Class) and any(str(base).endswith("Enum") for base in thing.bases)
    for name, member in thing.members.items():
        if not isinstance(member, griffe.Object):
            continue
        if is_enumeration and isinstance(member, griffe.Attribute) and not (member.docstring or name.startswith("_")):
            member.docstring = griffe.Docstring(f"The value is `{member.value}`.", parent=member)
        _complete(member)


def _link(thing: griffe.Object, name: str) -> str:
    """Return a link to a name as the docstring's place knows it; plain code where the pages don't have it."""
    try:
        path = name if name.startswith("tradestore.") else thing.resolve(name)
    except griffe.NameResolutionError:
        path = name
    return f'<autoref identifier="{path}" optional><code>{name}</code></autoref>'
