"""Running the checks on one consistent picture of a store."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tradestore._engine import masked
from tradestore._errors import meaningful
from tradestore.exceptions import DatabaseBusy, InvalidValue
from tradestore.operations._endpoints import snapshot
from tradestore.operations.doctor._look import Look, NotApplicable, counted, finding
from tradestore.operations.doctor.catalogue import CATALOGUE
from tradestore.operations.doctor.checks import CHECKS, STORY_CHECKS, StoryCheck
from tradestore.operations.doctor.findings import MOST_IDS, Diagnosis, Finding, LeftOut
from tradestore.operations.doctor.stories import Story, count_of_trades, stories
from tradestore.operations.doctor.surroundings import Surroundings
from tradestore.operations.opening import Place, file_of_url, open_to_read

__all__ = ["Progress", "diagnose"]

logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Is told how much is done, and how much there is."""

_SHOWN: Final = 200


def diagnose(
    place: Place,
    *,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    backups: Path | None = None,
    max_backup_age: timedelta | None = None,
    most_ids: int = MOST_IDS,
    surroundings: Surroundings | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Look for what is wrong with a store; nothing is changed.

    All checks see the store as it was when the look began, whatever is written meanwhile.

    Args:
        place: A database URL, or the database that is open.
        only: Codes, or the letters that they begin with; all if None.
        skip: Codes, or letters, to leave out.
        backups: The folder in which the backups are.
        max_backup_age: How old the youngest of them may be; a week if a folder is given.
        most_ids: How many rows each finding names.
        surroundings: What the store stands on; this machine if None.
        progress: Is told how many trades have been gone through, and how many there are.

    Raises:
        InvalidValue: If there is no such code.
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: If others keep the database locked, or the connection is lost.
    """
    codes = _chosen(only, skip)
    with open_to_read(place) as store, snapshot(store.engine) as connection:
        url = store.engine.url
        look = Look(
            connection=connection,
            surroundings=surroundings or Surroundings(),
            file=file_of_url(url),
            most_ids=most_ids,
            backups=backups,
            max_backup_age=max_backup_age or timedelta(days=7),
        )
        record = _Record(look)
        for check in CHECKS:
            if check.code in codes:
                record.note(check.code, check.run)
        _go_through_trades(record, [each for each in STORY_CHECKS if each.code in codes], progress)
        return Diagnosis(
            url=masked(url),
            engine=look.facts.product,
            findings=sorted(record.findings, key=_worst_first),
            ran={code: CATALOGUE[code].title for code in sorted(codes) if code not in record.left_out},
            not_applicable=record.not_applicable,
            failed=record.failed,
        )


def _chosen(only: Collection[str] | None, skip: Collection[str]) -> set[str]:
    return _matching(["" if only is None else each for each in only or [""]]) - _matching(skip)


def _matching(words: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for word in words:
        matching = {
            code for code in CATALOGUE if code == word.upper() or (len(word) < 2 and code.startswith(word.upper()))
        }
        if not matching:
            letters = ", ".join(sorted({code[0] for code in CATALOGUE}))
            msg = f"There is no check {word}: `tradestore doctor --list` shows all; {letters} stand for all of a kind."
            raise InvalidValue(msg)
        found |= matching
    return found


def _worst_first(each: Finding) -> tuple[int, str, str]:
    return -each.severity.rank, each.code, each.table or ""


class _Record:
    """What the checks of one look have found, and which could not be done."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.findings: list[Finding] = []
        self.not_applicable: list[LeftOut] = []
        self.failed: list[LeftOut] = []

    @property
    def left_out(self) -> set[str]:
        return {each.code for each in (*self.not_applicable, *self.failed)}

    def note(self, code: str, run: Callable[[Look], Iterable[Finding]]) -> None:
        """Run a check. What it has found before it fails counts."""
        with self.attempt([code]):
            for found in run(self.look):
                self.findings.append(found)

    @contextmanager
    def attempt(self, codes: Sequence[str]) -> Iterator[None]:
        """Note in place of an error that checks could not be done.

        Raises:
            DatabaseBusy: If the database is away, or locked: then nothing can be told at all.
        """
        try:
            with _kept_usable(self.look.connection):
                yield
        except NotApplicable as e:
            self.not_applicable += [LeftOut(code=code, title=CATALOGUE[code].title, reason=str(e)) for code in codes]
        except Exception as e:
            own = meaningful(e) if isinstance(e, DBAPIError) else e
            if isinstance(own, DatabaseBusy):
                raise own from e
            logger.debug("The checks %s failed.", codes, exc_info=True)
            reason = f"{type(e).__name__}: {' '.join(str(e).split())}"[:_SHOWN]
            self.failed += [LeftOut(code=code, title=CATALOGUE[code].title, reason=reason) for code in codes]


@contextmanager
def _kept_usable(connection: Connection) -> Iterator[None]:
    """Let the picture go on after a statement that failed: PostgreSQL would refuse all further ones."""
    if connection.dialect.name != "postgresql":
        yield
        return
    with connection.begin_nested():
        yield


def _go_through_trades(record: _Record, checks: Sequence[StoryCheck], progress: Progress | None) -> None:
    if not checks:
        return
    tallies = [_Tally(check, record.look.most_ids) for check in checks]
    with record.attempt(sorted({check.code for check in checks})):
        total = count_of_trades(record.look)
        concerned = {
            (is_open, are_right): [
                tally for tally in tallies if tally.check.concerns(is_open=is_open, are_sums_right=are_right)
            ]
            for is_open in (False, True)
            for are_right in (False, True)
        }
        for story, done in stories(record.look):
            for tally in concerned[bool(story.trade.is_open), story.sums_are_right]:
                tally.take(story)
            if progress is not None:
                progress(done, total)
    for tally in tallies:
        record.findings += tally.findings()
        record.failed += tally.failed()


class _Tally:
    """How many rows one check has found, and the first of them."""

    def __init__(self, check: StoryCheck, most_ids: int) -> None:
        self.check = check
        self._most_ids = most_ids
        self._rows = 0
        self._facts: dict[int, Any] = {}
        self._failure: str | None = None

    def take(self, story: Story) -> None:
        """Look at one trade."""
        try:
            for key, facts in self.check.run(story):
                self._rows += 1
                if len(self._facts) < self._most_ids:
                    self._facts[key] = facts
        except Exception as e:  # noqa: BLE001 - whatever it is, the other checks go on, and this one is not clean
            self._failure = self._failure or f"trade {story.trade.id}: {type(e).__name__}: {e}"[:_SHOWN]

    def findings(self) -> Iterator[Finding]:
        """Yield the finding, if there is one."""
        if self._rows:
            yield finding(
                self.check.code,
                counted(self.check.what, self._rows),
                table=self.check.table,
                rows=self._rows,
                ids=sorted(self._facts),
                facts=self._facts,
            )

    def failed(self) -> Iterator[LeftOut]:
        """Yield why the check could not be done, if it could not."""
        if self._failure is not None:
            yield LeftOut(code=self.check.code, title=CATALOGUE[self.check.code].title, reason=self._failure)
