"""Several referrals at a time, each by itself: done, or refused in words (F31, W18, F28).

Each is a step of its own within one transaction: what is refused is undone and the others stand.
Rights, the version that was seen and the rules are asked of each, by the very service that does it
for one. A page's token makes two presses one run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select

from s2s_portal import audit, clock, references
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import NotFound, Refused, S2SError
from s2s_portal.identity import Actor
from s2s_portal.models.bulk import Bulk, BulkRun
from s2s_portal.models.codes import UNDECIDED, Status
from s2s_portal.models.referral import Referral
from s2s_portal.models.worklist import OfficerAssignment, WorklistEntry
from s2s_portal.services import officers, worklist
from s2s_portal.services.terms import written

MOST = 100
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
WORDS = {
    Bulk.ASSIGN: "Give them to an officer",
    Bulk.FLAG: "Put up a flag",
    Bulk.PANEL: "Put them on the agenda of a panel",
    Bulk.HAND_OVER: "Hand them over to another team",
    Bulk.CLOSE: "Close those that were not answered in time",
}
ABSENT = "Not found, or not one that you can see"


@dataclass(frozen=True)
class Item:
    """One referral that was chosen, as the page showed it: its version, and the assignment of its
    officer (0 for none). `words` are its own, where they differ from the shared ones."""

    reference: str
    seen: int = 0
    held: int = 0
    words: str = ""


@dataclass(frozen=True)
class Chosen:
    """One referral to be confirmed. `why_not` says why it is left out; empty when it is in."""

    reference: str
    school_name: str = ""
    stands: str = ""
    officer: str = ""
    body: str = ""
    seen: int = 0
    held: int = 0
    why_not: str = ""


def tidy(given: Sequence[str]) -> list[str]:
    """The references among what an address or a form brought, each once, in order."""
    found = (references.parse(text[:40]) for text in given[: MOST * 10])
    return list(dict.fromkeys(reference for reference in found if reference))


def check_number(chosen: Sequence[str]) -> None:
    """Raise Refused for none, or for more than are done at a time."""
    if not chosen:
        raise Refused("Choose at least one referral from the list")
    if len(chosen) > MOST:
        raise Refused(f"Choose {MOST} referrals or fewer at a time: you chose {len(chosen)}")


def listed(chosen: Sequence[str], what: Bulk) -> list[Chosen]:
    """What would be done with each of these references: one statement, in the order given.

    What is not there and what is not the reader's look the same.
    """
    entry, held = WorklistEntry, OfficerAssignment
    rows = session().execute(
        select(
            entry.reference,
            entry.school_name,
            entry.status,
            entry.officer_name,
            entry.body,
            Referral.version,
            Referral.answer_by,
            held.id.label("held"),
        )
        .join(Referral, Referral.id == entry.referral_id)
        .outerjoin(held, (held.referral_id == entry.referral_id) & held.ended_at.is_(None))
        .where(entry.reference.in_(chosen))
    )
    found = {
        row.reference: Chosen(
            reference=row.reference,
            school_name=row.school_name,
            stands=worklist.stands(row.status),
            officer=row.officer_name or "Nobody",
            body=row.body,
            seen=row.version,
            held=row.held or 0,
            why_not=why_not(what, Status(row.status), row.answer_by),
        )
        for row in rows
    }
    return [found.get(one, Chosen(reference=one, why_not=ABSENT)) for one in chosen]


def why_not(what: Bulk, status: Status, answer_by: date | None) -> str:
    """Why this is not done with a referral that stands so; empty when it can be."""
    if what is Bulk.ASSIGN and status in officers.ENDED:
        return "It has ended"
    if what in {Bulk.PANEL, Bulk.HAND_OVER} and status not in UNDECIDED:
        return "It does not wait for a decision"
    if what is Bulk.CLOSE:
        if status is not Status.RETURNED:
            return "It is not back with its school"
        if answer_by is None or answer_by >= clock.today():
            until = f" until {written(answer_by)}" if answer_by else ""
            return f"The school has time to answer{until}"
    return ""


def run(
    work: UnitOfWork,
    what: Bulk,
    items: Sequence[Item],
    do: Callable[[Item], str],
    *,
    token: str,
    by: Actor,
) -> BulkRun:
    """Do `do` with each item, in the order of the references; what it returns is what is said.

    Two who press at once take the referrals in one order, so neither waits for the other for ever.
    Pressed again with the same `token` it does nothing and gives the run that was. Raises Refused
    without a good token, for no referral or too many.
    """
    if not TOKEN.fullmatch(token):
        raise Refused("Check the list on this page, then confirm.")
    check_number([item.reference for item in items])
    lock = func.pg_advisory_xact_lock(func.hashtextextended("s2s.bulk" + token, 0))
    work.session.execute(select(lock))
    done = session().scalar(select(BulkRun).where(BulkRun.token == token))
    if done is not None:
        return done
    results = []
    for item in sorted(items, key=lambda one: one.reference):
        ok, words = _one(work, item, do)
        results.append({"reference": item.reference, "done": ok, "words": words})
    made = BulkRun(token=token, what=what, results=results, by_id=by.id, by_name=by.name)
    work.session.add(made)
    work.flush()
    audit.wrote(work, f"did with {len(results)} referrals:", what.value, made.id)
    return made


def _one(work: UnitOfWork, item: Item, do: Callable[[Item], str]) -> tuple[bool, str]:
    try:
        with work.step():
            words = do(item)
    except NotFound:
        return False, f"{ABSENT}."
    except S2SError as error:
        return False, str(error)
    return True, words


def get(number: int) -> BulkRun:
    """A run of one's own. Raises NotFound, also for somebody else's."""
    found = session().get(BulkRun, number)
    if found is None:
        raise NotFound()
    return found
