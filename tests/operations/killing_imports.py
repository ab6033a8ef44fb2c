"""An import that is killed again and again, each time one step later: run as a program.

It prints how many were killed, and how many trades were in the database after each.
"""

import json
import os
import sys
from itertools import count

from sqlalchemy import create_engine, text

from tests.operations.killing import die_at
from tradestore._engine import check_url
from tradestore.operations.export import import_trades


def main(source: str, target: str) -> None:
    """Kill until one comes to its end."""
    rows: list[int] = []
    for step in count(1):
        child = os.fork()
        if child == 0:
            die_at(step)
            import_trades(source, target, batch_size=3)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(json.dumps({"kills": step - 1, "rows": rows}))
            sys.exit(os.waitstatus_to_exitcode(status))
        rows.append(_trades(target))


def _trades(url: str) -> int:
    engine = create_engine(check_url(url))
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT count(*) FROM trades"))
    engine.dispose()
    return found or 0


if __name__ == "__main__":
    main(*sys.argv[1:])
