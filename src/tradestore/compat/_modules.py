"""The finder that hands out modules of ours under a bot's names, and acts when a module of the bot is executed.

A module of ours stays what it is: the import system gives it the bot's ``__spec__`` while it takes it in, and gets its
own one back at once.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, NamespaceLoader
from types import ModuleType
from typing import Any

from tradestore.compat._loaded import is_in

__all__ = ["MODULES", "OURS", "BotFinder", "persistence_of"]

OURS = "tradestore"
MODULES = (
    "base",
    "custom_data",
    "db_migration",
    "key_value_store",
    "migrations",
    "models",
    "pairlock",
    "pairlock_middleware",
    "trade_model",
    "usedb_context",
    "wallet_history",
)
"""Those that bots import. Others of ours may have the name of something else that a bot has."""

_OWN_SPECS: dict[str, ModuleSpec] = {}
"""By our own names: while one thread hands out a module, another one may find it with the bot's spec."""

_Run = Callable[[], None]
_Around = Callable[[ModuleType, _Run], None]
"""Runs a module, and does something before or after."""


def persistence_of(package: str) -> str:
    """Return the name of a bot's persistence package."""
    return f"{package}.persistence"


class BotFinder(MetaPathFinder):
    """Finds a bot's persistence package here, and leaves its other modules to whoever finds them.

    Attributes:
        when_imported: Called once the bot's package was executed; None to call nothing.
    """

    def __init__(self, package: str, watched: Mapping[str, _Around]) -> None:
        """Make a finder that is not in use yet.

        Args:
            package: The bot's.
            watched: By the full name of a package or module, what runs it and each module inside.
        """
        self.package = package
        self.when_imported: _Run | None = None
        self._watched = dict(watched)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where to get a module from, None if that is not our business.

        Raises:
            ModuleNotFoundError: If it is of the bot's persistence package, and we have nothing that stands for it.
        """
        persistence = persistence_of(self.package)
        if is_in(fullname, persistence):
            return _our_spec(fullname, fullname.removeprefix(persistence).removeprefix("."))
        if fullname == self.package and self.when_imported is not None:
            return self._watch(fullname, path, target, self._run_and_tell)
        around = next((around for watched, around in self._watched.items() if is_in(fullname, watched)), None)
        return None if around is None else self._watch(fullname, path, target, around)

    def _run_and_tell(self, _: ModuleType, run: _Run) -> None:
        run()
        tell, self.when_imported = self.when_imported, None
        if tell is not None:
            tell()

    def _watch(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None, around: _Around
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                loader = _loader_of(spec)
                if hasattr(loader, "exec_module"):
                    spec.loader = _WatchedLoader(loader, around)
                return spec
        return None


def _loader_of(spec: ModuleSpec) -> Any:
    if spec.loader is None and spec.submodule_search_locations is not None:
        # A folder without an __init__.py gets its loader from the import system, once it is past us.
        loader: Any = NamespaceLoader.__new__(NamespaceLoader)
        loader._path = spec.submodule_search_locations  # noqa: SLF001 - as the import system itself makes it
        return loader
    return spec.loader


def _our_spec(fullname: str, module: str) -> ModuleSpec:
    if module and module not in MODULES:
        msg = (
            f"No module named {fullname!r}: the bot's persistence package is tradestore, which has nothing that "
            "stands for this module. tradestore.compat.uninstall() gives the bot its own package back."
        )
        raise ModuleNotFoundError(msg, name=fullname)
    name = f"{OURS}.{module}" if module else OURS
    return ModuleSpec(fullname, _AliasLoader(name), origin=name, is_package=not module)


class _AliasLoader(Loader):
    """Hands out a module of ours."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself."""
        module = import_module(self._name)
        own = module.__spec__
        if own is not None and own.name == self._name:
            _OWN_SPECS[self._name] = own
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back; it was executed before."""
        module.__spec__ = _OWN_SPECS[self._name]


class _WatchedLoader(Loader):
    """Does what a module's own loader does, and something more when the module is executed.

    The module itself never knows: it has its own loader before its first line runs.
    """

    def __init__(self, loader: Any, around: _Around) -> None:
        self._loader = loader
        self._around = around

    def __getattr__(self, name: str) -> Any:
        """Answer as the module's own loader, for resources, sources and `python -m`."""
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Let the module's own loader make it."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module as it is to be run."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._around(module, lambda: self._loader.exec_module(module))
