"""Mapping a bot, all or nothing, and giving it its own modules back."""

import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from importlib.util import find_spec
from pkgutil import iter_modules
from threading import RLock
from types import ModuleType

from tradestore.compat._children import map_child_processes
from tradestore.compat._definitions import Definitions
from tradestore.compat._enums import bridge_enums
from tradestore.compat._exceptions import bridge_exceptions
from tradestore.compat._loaded import forget_since, import_if_there, loaded_of
from tradestore.compat._loggers import put_loggers_below
from tradestore.compat._modules import MODULES, OURS, BotFinder, persistence_of
from tradestore.compat._plain_orders import give_plain_orders
from tradestore.compat._report import Installation
from tradestore.exceptions import CompatError

__all__ = ["install", "installed", "is_waiting", "uninstall", "wait_for", "wait_in_child"]

logger = logging.getLogger(__name__)

_LOCK = RLock()


class _Mapping:
    """A bot that is mapped, or will be once it is imported.

    Attributes:
        report: None while the bot is waited for.
        level_of_gaps: How loudly to say what could not be mapped.
    """

    def __init__(self, package: str, plain_orders: Iterable[str], child_processes: bool) -> None:
        self.package = package
        self.plain_orders = tuple(plain_orders)
        self.child_processes = child_processes
        self.report: Installation | None = None
        self.level_of_gaps = logging.WARNING
        self._with_plain_orders: list[str] = []
        self._undo = ExitStack()
        self._definitions = Definitions(self._undo)
        watched = {f"{package}.{name}": self._definitions.run_module for name in ("enums", "exceptions")}
        watched |= {f"{package}.{name}": self._run_with_plain_orders for name in self.plain_orders}
        self._finder = BotFinder(package, watched)

    def begin(self) -> None:
        """Hand out our modules from here on."""
        _check_name(self.package)
        _refuse_late(self.package)
        persistence = persistence_of(self.package)
        self._undo.callback(forget_since, self.package, persistence, loaded_of(self.package))
        self._undo.callback(self._leave_meta_path)
        sys.meta_path.insert(0, self._finder)
        put_loggers_below(persistence, OURS, self._undo)
        if self.child_processes:
            map_child_processes(self.package, self.plain_orders, self._undo)

    def _leave_meta_path(self) -> None:
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)

    def wait(self) -> None:
        """Do the rest as soon as the bot's package was executed."""
        self._finder.when_imported = self._complete_or_undo

    def _complete_or_undo(self) -> None:
        try:
            self.complete()
        except BaseException:
            _forget(self)
            raise

    def complete(self) -> None:
        """Import what of the bot has to be the same class in both packages, and make it so."""
        self._finder.when_imported = None
        if import_if_there(self.package) is None:
            raise _not_found(self.package)
        told = _missing_modules(self.package)
        enums, lacking_enums = bridge_enums(self.package, self._undo)
        exceptions, lacking_exceptions = bridge_exceptions(self.package, self._undo)
        not_mapped = (*told, *self._definitions.told, *lacking_enums, *lacking_exceptions)
        persistence = persistence_of(self.package)
        modules = {persistence: OURS} | {f"{persistence}.{name}": f"{OURS}.{name}" for name in MODULES}
        self.report = Installation(
            self.package, modules, tuple(enums), tuple(exceptions), not_mapped, self._with_plain_orders
        )
        if not_mapped:
            gaps = " ".join(not_mapped)
            logger.log(self.level_of_gaps, "Of %s, this is not mapped to tradestore: %s", self.package, gaps)

    def undo(self) -> None:
        """Leave everything as it was before."""
        self._undo.close()

    def _run_with_plain_orders(self, module: ModuleType, run: Callable[[], None]) -> None:
        run()
        if give_plain_orders(module) and module.__name__ not in self._with_plain_orders:
            self._with_plain_orders.append(module.__name__)


_current: list[_Mapping] = []
"""At most one: a bot's exceptions are bases of ours while it is mapped, and two bots need not agree on them."""


def install(
    package: str = "freqtrade", *, plain_orders: Iterable[str] = ("optimize",), child_processes: bool = False
) -> Installation:
    """Map a bot, before it is imported: its persistence package is this library from here on.

    Its enums and exceptions are the same classes in both packages. If anything fails, nothing is changed. Called
    again, it answers what it answered the first time.

    Args:
        package: The bot's.
        plain_orders: Names inside the package, of packages whose modules get ``LocalOrder`` for ``Order``: those that
            only know trades in memory.
        child_processes: Whether to map the bot in every Python process that is started from here on as well, by
            environment variables.

    Raises:
        CompatError: If the bot's own persistence package is loaded already, if the bot cannot be found, if its enums
            or exceptions contradict ours, or if another bot is mapped.
    """
    with _LOCK:
        mapping = _mapping_of(package, plain_orders, child_processes)
        try:
            _check_package(package)
            if mapping.report is None:
                mapping.complete()
        except BaseException:
            _forget(mapping)
            raise
        if mapping.report is None:
            msg = f"The package {package} went away while it was mapped."
            raise CompatError(msg)
        return mapping.report


def wait_for(
    package: str = "freqtrade", *, plain_orders: Iterable[str] = ("optimize",), child_processes: bool = False
) -> None:
    """Map a bot as soon as it is imported, for want of knowing where it will be found.

    What :func:`install` raises is raised by the import of the bot then, and by this where it is known at once.

    Args:
        package: The bot's.
        plain_orders: As for :func:`install`.
        child_processes: As for :func:`install`.
    """
    if package in sys.modules:
        install(package, plain_orders=plain_orders, child_processes=child_processes)
        return
    with _LOCK:
        mapping = _mapping_of(package, plain_orders, child_processes)
        if mapping.report is None:
            mapping.wait()


def wait_in_child(package: str, plain_orders: Iterable[str]) -> None:
    """Map a bot as the process did that started this one, as soon as it is imported, unless somebody else does."""
    with _LOCK:
        if not _current:
            mapping = _mapping_of(package, plain_orders, True)
            mapping.level_of_gaps = logging.INFO
            mapping.wait()


def uninstall(package: str = "freqtrade") -> None:
    """Give a bot its own modules back; what of it was imported meanwhile is forgotten, and imported anew.

    Args:
        package: The bot's; nothing happens if it is not mapped.
    """
    with _LOCK:
        for mapping in [mapping for mapping in _current if mapping.package == package]:
            _forget(mapping)


def installed() -> Installation | None:
    """Return what is mapped; None if nothing is, or while a bot is still waited for."""
    return _current[0].report if _current else None


def is_waiting() -> bool:
    """Tell whether a bot is to be mapped and was not imported yet."""
    return bool(_current) and _current[0].report is None


def _mapping_of(package: str, plain_orders: Iterable[str], child_processes: bool) -> _Mapping:
    wanted = _Mapping(package, plain_orders, child_processes)
    if _current:
        present = _current[0]
        if (present.package, present.plain_orders) != (wanted.package, wanted.plain_orders):
            msg = (
                f"{present.package} is mapped to tradestore already, with plain orders in {present.plain_orders}: one "
                f"process maps one bot, in one way. Call uninstall({present.package!r}) first."
            )
            raise CompatError(msg)
        return present
    _current.append(wanted)
    try:
        wanted.begin()
    except BaseException:
        _forget(wanted)
        raise
    return wanted


def _forget(mapping: _Mapping) -> None:
    if mapping in _current:
        _current.remove(mapping)
        mapping.undo()


def _check_package(package: str) -> None:
    """Refuse a name that is no package, before anything of it is imported."""
    if package in sys.modules:
        is_package = hasattr(sys.modules[package], "__path__")
    else:
        try:
            spec = find_spec(package)
        except ModuleNotFoundError:
            spec = None
        if spec is None:
            raise _not_found(package)
        is_package = spec.submodule_search_locations is not None
    if not is_package:
        msg = f"{package} is a module: expected the package that a bot's persistence is in."
        raise CompatError(msg)


def _not_found(package: str) -> CompatError:
    return CompatError(f"The package {package} cannot be found: install the bot here, or say what it is called.")


def _check_name(package: str) -> None:
    if not all(part.isidentifier() for part in package.split(".")) or package.partition(".")[0] == OURS:
        msg = f"{package!r} is not the name of a bot's package."
        raise CompatError(msg)


def _refuse_late(package: str) -> None:
    persistence = persistence_of(package)
    if loaded := sorted(loaded_of(persistence)):
        msg = f"{loaded[0]} is loaded already: map the bot before anything of it is imported."
        raise CompatError(msg)


def _missing_modules(package: str) -> list[str]:
    """Tell which modules the bot's own persistence package has that we have not, by the names of its files."""
    folders = [f"{path}/persistence" for path in sys.modules[package].__path__]
    names = sorted({module.name for module in iter_modules(folders)} - set(MODULES))
    persistence = persistence_of(package)
    return [f"{persistence}.{name} is no module of tradestore's: importing it is an error." for name in names]
