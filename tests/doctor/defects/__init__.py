"""One defect for each code of the doctor: planted into rows of its own, so that all can be in one store."""

# Each of them enters its defects into the table.
from tests.doctor.defects import engine, orders, other_rows, schema, trades, values  # noqa: F401
from tests.doctor.defects.table import DEFECTS, Defect

__all__ = ["DEFECTS", "Defect"]
