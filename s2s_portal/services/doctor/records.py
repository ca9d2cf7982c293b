"""What the service has written down: statuses, the ledger; and whether the worker is about."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from sqlalchemy import func, select

from s2s_portal.database import session
from s2s_portal.models.ledger import LedgerVerification
from s2s_portal.models.referral import Referral, ReferralEvent
from s2s_portal.services import match_keys, referrals, repeats
from s2s_portal.services.doctor.findings import Look, Said, fail, warn, well
from s2s_portal.services.terms import written

READ_AT_ONCE = 1_000
REBUILD = "Run: flask s2s match rebuild"
NAMED = 5  # referrals named in one finding


def _statuses() -> Iterator[Said]:
    rows = session().execute(
        select(Referral.reference, Referral.status, ReferralEvent.action)
        .outerjoin(ReferralEvent, ReferralEvent.referral_id == Referral.id)
        .order_by(Referral.id, ReferralEvent.id)
        .execution_options(yield_per=READ_AT_ONCE)
    )
    wrong = [
        reference
        for (reference, status), events in groupby(rows, key=lambda row: (row[0], row[1]))
        if referrals.derived_status(events) is not status
    ]
    if wrong:
        more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        yield fail(
            f"The stored status is not what the history says: {', '.join(wrong[:NAMED])}{more}."
        )


def worker(seen: str) -> Look:
    """The look at the worker, from what `health` says of it."""

    def find() -> Iterator[Said]:
        if seen != "ok":
            yield warn(f"It was {seen}, so no mail goes. Run: flask s2s worker")

    return Look("worker", find, "It has been seen lately.")


def ledger(verified: str) -> Look:
    """The look at the ledger, from what `health` says of it."""

    def find() -> Iterator[Said]:
        if verified == "ok":
            last = session().scalar(select(func.max(LedgerVerification.at)))
            when = f" on {written(last.date())}" if last else ""
            yield well(f"It was last verified{when}, and is sound.")
        elif verified == "not verified yet":
            yield warn("It is not verified yet. Run: flask s2s ledger verify")
        else:
            yield fail(
                "It does not verify. Stop pulling, run: flask s2s ledger verify, and keep what it"
                " says."
            )

    return Look("ledger", find, "")


def _marks() -> Iterator[Said]:
    if not repeats.looked_for():
        yield well("Repeats are not looked for: see the match key.")
        return
    others = match_keys.with_another_key()
    if others:
        yield warn(
            f"{others:,} referrals are marked under another S2S_MATCH_KEY, so repeats of them are"
            f" missed. {REBUILD}"
        )
    if match_keys.some_unmarked():
        yield warn(f"Some referrals have no mark, so repeats of them are missed. {REBUILD}")


MARKS = Look("marks of repeats", _marks, "Each referral can be found by another about the same.")
STATUSES = Look("statuses", _statuses, "Each referral stands where its history says.")
