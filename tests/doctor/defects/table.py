"""The table of defects, and how one is entered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.doctor.planting import Bed

__all__ = ["DEFECTS", "Defect", "Ids", "changed", "defect"]

Ids = Sequence[Any]


@dataclass(frozen=True)
class Defect:
    """A defect that can be planted.

    Attributes:
        code: By which it must be found.
        plant: Plants it, and returns the primary keys that must be named.
        engines: On which it can be.
        also: Codes that are found with it of necessity, and why.
        is_alone: Whether it has to be planted into a store of its own: it changes what all other checks read.
    """

    code: str
    plant: Callable[[Bed], Ids]
    engines: tuple[str, ...] = ("sqlite", "postgresql", "mysql")
    also: tuple[tuple[str, str], ...] = ()
    is_alone: bool = False


DEFECTS: Final[list[Defect]] = []


def defect(
    code: str, *engines: str, also: tuple[tuple[str, str], ...] = (), is_alone: bool = False
) -> Callable[[Callable[[Bed], Ids]], Callable[[Bed], Ids]]:
    """Enter a plant into the table."""

    def enter(plant: Callable[[Bed], Ids]) -> Callable[[Bed], Ids]:
        DEFECTS.append(Defect(code, plant, engines or ("sqlite", "postgresql", "mysql"), also, is_alone))
        return plant

    return enter


def changed(code: str, make: Callable[[Bed], int], **values: Any) -> None:
    """Enter a defect of some columns of a trade."""

    def plant(bed: Bed) -> Ids:
        row = make(bed)
        bed.change("trades", row, **values)
        return [row]

    defect(code)(plant)
