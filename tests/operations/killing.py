"""A transfer that is killed again and again: run as a program, so that a kill meets nobody else.

Each child goes on with what the one before has left, and is killed one step later than that one.
"""

import os
import signal
import sys
from itertools import count

from sqlalchemy import Engine, event

from tradestore.operations import transfer

_WRITES = {"INSERT", "COPY", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "SELECT SETVAL"}
BATCH = 3


def die_at(step: int) -> None:
    """Let this process be killed before its so many-th statement that writes, or before its commit."""
    left = [step]

    def pass_by(*details: object) -> None:
        statement = details[2] if len(details) > 2 else "COMMIT"
        if str(statement).split(maxsplit=1)[0].upper() in {*_WRITES, "COMMIT"}:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", pass_by)
    event.listen(Engine, "commit", pass_by)


def main(source: str, target: str, merge: str) -> None:
    """Kill until one comes to its end; print how many were killed."""
    for step in count(1):
        child = os.fork()
        if child == 0:
            die_at(step)
            transfer(source, target, batch_size=BATCH, merge=merge == "merge")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(step - 1)
            sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
