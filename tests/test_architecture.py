"""The architecture, checked: floors, circles, sizes, public names, and what an import costs.

The source is read, not run, wherever that is enough. Ruff sees to the order inside `__all__` (RUF022).
"""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import tradestore

SOURCE = Path(__file__).parents[1] / "src"
MODULE_LINES = 450
FUNCTION_LINES = 60

# Lowest floor first. A folder's name stands for all that is in it, and a name may wait for its file.
FLOORS = (
    {"exceptions", "enums", "constants", "_clock", "_disk", "_extras"},
    {"accounting"},
    {
        "local_custom_data",
        "local_order",
        "local_pairlock",
        "local_pairlock_middleware",
        "local_trade",
        "_exported_columns",
        "_frames",
        "_book",
        "_database_only",
        "_exchange_dict",
        "_record",
        "_trade_explanation",
        "_trade_fields",
        "_trade_json",
        "_trade_orders",
        "_trade_profit",
        "_trade_stops",
    },
    {
        "base",
        "_answer_timeout",
        "_attempts",
        "_bound_types",
        "_bulk",
        "_columns",
        "_commit_tokens",
        "_compiled_statements",
        "_copy",
        "_counters",
        "_database_status",
        "_deleted_rows",
        "_durability",
        "_engine",
        "_errors",
        "_explanations",
        "_file_log",
        "_fork",
        "_open_transactions",
        "_openings",
        "_options",
        "_plain_parameters",
        "_plain_rows",
        "_planning",
        "_scopes",
        "_sequences",
        "_session",
        "_shared_connection",
        "_slow_statements",
        "_sqlite_files",
        "_sqltypes",
        "_store_session",
        "_stored_values",
        "_table_content",
        "_table_names",
        "_units_of_work",
        "_upsert",
        "_write_turn",
        "database",
    },
    {
        "trade_model",
        "_archive_model",
        "_backtest_tables",
        "_bulk_trades",
        "_duplicate_orders",
        "_filters",
        "_intent_adoption",
        "_intent_fields",
        "_intent_model",
        "_intent_plan",
        "_order_model",
        "_pages",
        "_performance",
        "_plain_twin",
        "_reports",
        "_running_intent",
        "_stored_frames",
        "_trade_stream",
        "backtests",
        "custom_data",
        "intents",
        "key_value_store",
        "limits",
        "order_upserts",
        "pairlock",
        "repair_log",
        "wallet_history",
    },
    {
        "migrations",
        "_legacy_names",
        "_revision_change",
        "_revisions",
        "_row_digest",
        "_scan",
        "_schema_lock",
        "_sqlite_backup",
        "_sqlite_tables",
        "_start_fixes",
        "adoption",
        "pairlock_middleware",
    },
    {"models", "store", "usedb_context"},
    {"operations", "db_migration"},
    {"cli", "testing", "compat", "metrics", "__main__"},
    {"__init__"},
)
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}

# Loading these takes longer than all of our own code, and a backtest needs none of them.
HEAVY = {"sqlalchemy", "alembic", "typer", "rich", "pytest"}

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def _module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {_module_name(path): path for path in sorted(SOURCE.glob("tradestore/**/*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in PATHS.items()}

every_module = pytest.mark.parametrize("name", PATHS)


@dataclass(frozen=True)
class Import:
    """One imported module.

    Attributes:
        target: Its full name.
        line: Where it is imported.
        late: Inside a function.
        typing_only: Under `if TYPE_CHECKING`, and so no part of a circle at run time.
    """

    target: str
    line: int
    late: bool
    typing_only: bool


def _imports(node: ast.AST, *, late: bool = False, typing_only: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield from (Import(target, child.lineno, late, typing_only) for target in _targets(child))
        inside_function = isinstance(child, FUNCTION)
        under_typing = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        yield from _imports(child, late=late or inside_function, typing_only=typing_only or under_typing)


def _targets(statement: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(statement, ast.Import):
        return {alias.name for alias in statement.names}
    names = {f"{statement.module}.{alias.name}" for alias in statement.names}
    modules = names & PATHS.keys()
    return modules if modules == names else modules | {statement.module or "."}


def _place(name: str) -> str:
    """Return the name that the table of floors has for the module *name*."""
    return name.split(".")[1] if "." in name else "__init__"


def _own_imports(name: str) -> list[Import]:
    return [found for found in _imports(TREES[name]) if found.target in PATHS]


@every_module
def test_module_has_a_floor(name: str) -> None:
    """A new module is entered in the table."""
    assert _place(name) in FLOOR_OF


@every_module
def test_imports_point_down(name: str) -> None:
    """A module imports from its own floor or a lower one, for type hints too."""
    floor = FLOOR_OF[_place(name)]
    upward = [found for found in _own_imports(name) if FLOOR_OF[_place(found.target)] > floor]
    assert not upward


def test_no_circle() -> None:
    """No module needs itself, however long the way round."""
    needs = {name: {found.target for found in _own_imports(name) if not found.typing_only} for name in PATHS}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]), pytrace=False)


@every_module
def test_no_import_inside_a_function(name: str) -> None:
    """Nothing is imported late, but for the lazy names of a package and alembic where it migrates."""
    if PATHS[name].name == "__init__.py":
        return
    late = [found for found in _imports(TREES[name]) if found.late]
    if name == "tradestore._revisions":
        late = [found for found in late if found.target.partition(".")[0] != "alembic"]
    assert not late


@every_module
def test_module_is_short(name: str) -> None:
    """A module can be read in one sitting."""
    assert len(PATHS[name].read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


@every_module
def test_functions_are_short(name: str) -> None:
    """A function fits on a screen."""
    functions = (node for node in ast.walk(TREES[name]) if isinstance(node, FUNCTION))
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    assert not {function: lines for function, lines in lengths.items() if lines > FUNCTION_LINES}


@every_module
def test_public_names_are_listed_and_exist(name: str) -> None:
    """A public module says in `__all__` what it offers, and offers it."""
    is_private = any(part.startswith("_") for part in name.split("."))
    is_bare = len(TREES[name].body) <= 1
    if is_private or is_bare:
        return
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    assert not [public for public in module.__all__ if not hasattr(module, public)]
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize(
    "statement",
    [
        "import tradestore",
        "import tradestore.local_trade",
        "from tradestore import LocalTrade",
        "import tradestore; dir(tradestore)",
    ],
)
def test_memory_path_loads_nothing_heavy(statement: str) -> None:
    """Whoever only needs trades in memory doesn't wait for SQLAlchemy."""
    command = [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_the_source_was_found() -> None:
    """The tests above had something to read, and it is what Python imports."""
    assert tradestore.__file__ == str(PATHS["tradestore"])
