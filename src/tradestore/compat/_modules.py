"""The finder that hands out modules of ours under a bot's names, and acts when a module of the bot was executed.

A module of ours stays what it is: the import system gives it the bot's ``__spec__`` while it takes it in, and gets its
own one back at once.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

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

_Action = Callable[[ModuleType], None]


def persistence_of(package: str) -> str:
    """Return the name of a bot's persistence package."""
    return f"{package}.persistence"


class BotFinder(MetaPathFinder):
    """Finds a bot's persistence package here, and leaves its other modules to whoever finds them.

    Attributes:
        when_imported: Called once the bot's package was executed; None to call nothing.
    """

    def __init__(self, package: str, watched: Iterable[str], when_executed: _Action) -> None:
        """Make a finder that is not in use yet.

        Args:
            package: The bot's.
            watched: Full names of packages and modules.
            when_executed: Called with each of these modules, and with those inside, once it was executed.
        """
        self.package = package
        self.when_imported: Callable[[], None] | None = None
        self._watched = tuple(watched)
        self._when_executed = when_executed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where to get a module from, None if that is not our business.

        Raises:
            ModuleNotFoundError: If it is of the bot's persistence package, and we have nothing that stands for it.
        """
        persistence = persistence_of(self.package)
        if _is_in(fullname, persistence):
            return _our_spec(fullname, fullname.removeprefix(persistence).removeprefix("."))
        if fullname == self.package and self.when_imported is not None:
            return self._watch(fullname, path, target, lambda _: self._tell_imported())
        if any(_is_in(fullname, watched) for watched in self._watched):
            return self._watch(fullname, path, target, self._when_executed)
        return None

    def _tell_imported(self) -> None:
        tell, self.when_imported = self.when_imported, None
        if tell is not None:
            tell()

    def _watch(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None, action: _Action
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _WatchedLoader(spec.loader, action)
                return spec
        return None


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


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
    """Does what a module's own loader does, and something more once the module was executed.

    The module itself never knows: it has its own loader before its first line runs.
    """

    def __init__(self, loader: Any, action: _Action) -> None:
        self._loader = loader
        self._action = action

    def __getattr__(self, name: str) -> Any:
        """Answer as the module's own loader, for resources, sources and `python -m`."""
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Let the module's own loader make it."""
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, then act."""
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._action(module)
