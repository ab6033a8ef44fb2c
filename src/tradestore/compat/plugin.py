"""``pytest -p tradestore.compat.plugin``: a bot's own tests, on tradestore, in the workers of pytest-xdist as well.

The ini option ``tradestore_compat_package`` names the bot's package, or the environment variable
``TRADESTORE_COMPAT_PACKAGE`` does.
"""

import os

import pytest

from tradestore.compat._children import PACKAGE_VARIABLE
from tradestore.compat._installing import installed, is_waiting, uninstall, wait_for
from tradestore.exceptions import CompatError

__all__ = ["pytest_addoption", "pytest_load_initial_conftests", "pytest_report_header", "pytest_unconfigure"]

_INI = "tradestore_compat_package"
_MAPPED_HERE = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the name of the bot's package, for the ini file."""
    parser.addini(_INI, f"the bot's package; by default ${PACKAGE_VARIABLE}, or freqtrade", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Map the bot before anything of its tests is imported."""
    package = early_config.getini(_INI) or os.environ.get(PACKAGE_VARIABLE) or "freqtrade"
    was_mapped = installed() is not None or is_waiting()
    try:
        wait_for(package, child_processes=True)
    except CompatError as e:
        raise pytest.UsageError(str(e)) from e
    if not was_mapped:
        early_config.stash[_MAPPED_HERE] = package


def pytest_report_header() -> str:
    """Say what is mapped."""
    report = installed()
    if report is None:
        return "tradestore: the bot is mapped when it is imported"
    return f"tradestore: {report.package} is mapped; {' '.join(report.not_mapped) or 'nothing is left out'}"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the bot its own modules back, if this plugin mapped it."""
    package = config.stash.get(_MAPPED_HERE, None)
    if package is not None:
        uninstall(package)
