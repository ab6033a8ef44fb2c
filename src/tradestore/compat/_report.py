"""What of a bot is mapped to this library, and what is not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Installation"]


@dataclass(frozen=True)
class Installation:
    """What of a bot is mapped.

    Attributes:
        package: The bot's package.
        modules: Module of the bot, and the one of ours that it is; each is loaded when somebody imports it.
        enums: Enums that are the same class in both packages.
        exceptions: Exceptions that are the same class in both packages.
        not_mapped: What could not be mapped, one sentence each.
    """

    package: str
    modules: Mapping[str, str]
    enums: tuple[str, ...]
    exceptions: tuple[str, ...]
    not_mapped: tuple[str, ...]
    _with_plain_orders: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def plain_orders(self) -> tuple[str, ...]:
        """Modules whose ``Order`` is ``LocalOrder``, as far as they have been imported by now."""
        return tuple(self._with_plain_orders)
