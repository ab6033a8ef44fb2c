"""Taking a bot's data along to another database, by the name that bots know."""

import logging

from sqlalchemy import Engine
from sqlalchemy.orm import Session, scoped_session

from tradestore._session import bound_engine
from tradestore._store_session import has_changes
from tradestore.exceptions import DatabaseNotReady, DependencyException
from tradestore.operations.transfer import TransferReport, transfer
from tradestore.trade_model import Trade

__all__ = ["migrate_db"]

logger = logging.getLogger(__name__)


def migrate_db(session_target: Session | scoped_session[Session]) -> TransferReport:
    """Copy all of the database that ``init_db`` opened last into that of a session.

    See :func:`tradestore.operations.transfer` for what is copied, and what is refused. ``Trade.session`` always means
    the database that was opened last, so the target's session has to be one of its own: ``Session(engine)``, or what
    ``Trade.session()`` returned while the target was open.

    Args:
        session_target: Of the target; committed before and afterwards.

    Returns:
        What was copied, table by table.

    Raises:
        DatabaseNotReady: If no database is open.
        DependencyException: If the open one has changes that wait for a commit.
        TransferError: And what else ``transfer`` raises.
    """
    source = bound_engine()
    if source is None:
        msg = "There is no database to copy from: call tradestore.init_db(db_url) with its URL first."
        raise DatabaseNotReady(msg)
    if has_changes(Trade.session()):
        msg = "The session holds changes that are not stored: call Trade.commit() or Trade.rollback() first."
        raise DependencyException(msg)
    # A transaction that reads would keep the snapshot of its own beginning.
    Trade.session.rollback()
    session_target.commit()
    bind = session_target.get_bind()
    report = transfer(source, bind if isinstance(bind, Engine) else bind.engine)
    session_target.commit()
    logger.info("Migrated %d trades and %d pairlocks.", report.table("trades").rows, report.table("pairlocks").rows)
    return report
