"""The README's map leads to what is there."""

import re
from importlib import import_module
from pathlib import Path

import tradestore

README = Path(__file__).parents[1] / "README.md"


def test_map_names_what_exists() -> None:
    rows = _rows()
    assert len(rows) > 20

    missing = [name for _, names, modules in rows for name in _names(names) if not _is_in(name, _names(modules))]
    assert missing == []


def test_names_down_to_the_modes_are_those_of_the_package_itself() -> None:
    """As the line below the map says; methods come with their classes."""
    rows = _rows()
    last = [what for what, _, _ in rows].index("modes and exit reasons")
    misplaced = [
        name
        for number, (_, names, _) in enumerate(rows)
        for name in _names(names)
        if "." not in name and (name in tradestore.__all__) != (number <= last)
    ]
    assert misplaced == []


def _rows() -> list[tuple[str, str, str]]:
    text = README.read_text(encoding="utf-8")
    return re.findall(r"^\| ([^|]+) \| (`[^|]+) \| (`tradestore\.[^|]+) \|$", text, re.MULTILINE)


def _names(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


def _is_in(name: str, modules: list[str]) -> bool:
    """Tell whether one of the modules has the name; `trade.close` is looked up in `Trade`."""
    owner, _, attribute = name.rpartition(".")
    homes: list[object] = [import_module(module) for module in modules]
    if owner:
        homes = [getattr(tradestore, owner.capitalize())]
    return any(hasattr(home, attribute) for home in homes)
