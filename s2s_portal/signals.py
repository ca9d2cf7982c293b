"""What a host may listen to: Blinker signals, sent once a change stands in the database.

    from s2s_portal.signals import referral_decided

    @referral_decided.connect
    def on_decision(app, *, reference, decision, **more): ...

The sender is the Flask app, as with Flask's own signals. What comes along is references, codes,
numbers and pence: never a name, never anything about a child. A listener takes `**more`, since a
later release may send more. One that raises is logged; the page and the other listeners go on.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from blinker import NamedSignal, Namespace
from flask import Flask, current_app

from s2s_portal.database import UnitOfWork, session

_ours = Namespace()

# What each signal brings along, by its name.
BRINGS: dict[str, tuple[str, ...]] = {}

# What each of those words means.
MEANINGS: dict[str, str] = {
    "addendum": "Number of the addendum, within its visit record.",
    "again": "Whether it was sent before and returned.",
    "amount_pence": "Pence that it changes what the school owes by.",
    "by": "The host's account key of who did it; `system` for a command or a job.",
    "closure": "Why it was closed, by its code (`OUTCOMES_MET` ...).",
    "decision": "`accepted`, `declined`, `advised`, `redirected` or `waiting_listed`.",
    "entry": "Number of the ledger entry.",
    "entry_count": "Number of ledger entries in the pull.",
    "finance_reference": "Finance's own reference of the collection.",
    "kind": "Kind of visit, by its code.",
    "provider_urn": "URN of the practitioner's Complex Needs School.",
    "pull": "Number of the pull.",
    "reason": "Why, by its code, or the code of the other service; empty when it was accepted.",
    "reference": "The referral's reference, such as `S2S-26-7K4P`.",
    "reverses": "Number of the charge that it undoes.",
    "route": "How Finance collects it: `INTERNAL` or `INVOICE`.",
    "section": "Which section of the referral, by its key (`needs` ...).",
    "settles": "Number of the charge or reversal that it settles.",
    "total_pence": "Sum of the pull's entries, in pence.",
    "urn": "URN of the school that referred.",
    "withdrawal": "Why it was withdrawn, by its code (`MOVED_SCHOOL` ...).",
    "visit": "Number of the visit, within its referral.",
}


def _signal(name: str, when: str, *brings: str) -> NamedSignal:
    BRINGS[name] = tuple(sorted(brings))
    return _ours.signal(name, when)


referral_submitted = _signal(
    "referral_submitted",
    "A school has sent a referral, for the first time or again.",
    "reference",
    "urn",
    "by",
    "again",
)
referral_returned = _signal(
    "referral_returned",
    "An officer has sent a referral back for more information.",
    "reference",
    "urn",
    "by",
)
referral_amended = _signal(
    "referral_amended",
    "A school has changed a section of a referral after sending it, with a reason.",
    "reference",
    "urn",
    "by",
    "section",
)
referral_withdrawn = _signal(
    "referral_withdrawn",
    "A school has taken a referral back, or a parent or carer no longer agrees.",
    "reference",
    "urn",
    "by",
    "withdrawal",
)
referral_decided = _signal(
    "referral_decided",
    "An officer has decided on a referral.",
    "reference",
    "urn",
    "by",
    "decision",
    "reason",
)
allocation_made = _signal(
    "allocation_made",
    "An officer has given a referral to a practitioner, the first or another.",
    "reference",
    "urn",
    "by",
    "provider_urn",
)
visit_booked = _signal(
    "visit_booked",
    "A practitioner has booked a visit.",
    "reference",
    "urn",
    "by",
    "visit",
    "kind",
)
visit_recorded = _signal(
    "visit_recorded",
    "A practitioner has issued the record of a visit.",
    "reference",
    "urn",
    "by",
    "visit",
)
addendum_written = _signal(
    "addendum_written",
    "A practitioner has added to an issued record.",
    "reference",
    "urn",
    "by",
    "visit",
    "addendum",
)
record_acknowledged = _signal(
    "record_acknowledged",
    "The school has said that it has read a record.",
    "reference",
    "urn",
    "by",
    "visit",
)
outcomes_recorded = _signal(
    "outcomes_recorded",
    "A practitioner has written down what was achieved.",
    "reference",
    "urn",
    "by",
)
referral_closed = _signal(
    "referral_closed", "An officer has closed a referral.", "reference", "urn", "by", "closure"
)
referral_reopened = _signal(
    "referral_reopened", "An officer has opened a closed referral again.", "reference", "urn", "by"
)
charge_posted = _signal(
    "charge_posted",
    "A fee stands in the ledger.",
    "reference",
    "urn",
    "by",
    "entry",
    "amount_pence",
    "route",
)
charge_reversed = _signal(
    "charge_reversed",
    "A charge was put right by the entry that undoes it.",
    "reference",
    "urn",
    "by",
    "entry",
    "amount_pence",
    "route",
    "reverses",
)
charge_collected = _signal(
    "charge_collected",
    "Finance has collected one charge of a pull, or given one back.",
    "reference",
    "urn",
    "by",
    "entry",
    "amount_pence",
    "route",
    "settles",
)
pull_made = _signal(
    "pull_made",
    "Finance has pulled what was due into a numbered batch.",
    "pull",
    "by",
    "entry_count",
    "total_pence",
)
pull_collected = _signal(
    "pull_collected",
    "Finance has marked a pull as collected.",
    "pull",
    "by",
    "finance_reference",
)


def tell(work: UnitOfWork, signal: NamedSignal, **brought: Any) -> None:
    """Send `signal` once the transaction of `work` stands; never when it is rolled back.

    Raises TypeError when what is brought is not what the signal promises.
    """
    if tuple(sorted(brought)) != BRINGS[signal.name]:
        raise TypeError(f"{signal.name} brings {BRINGS[signal.name]}, not {sorted(brought)}")
    app = current_app._get_current_object()
    work.after_commit(partial(_send, signal, app, brought))


def everything() -> dict[str, NamedSignal]:
    """Every signal by its name, in the order in which a referral meets them."""
    return {name: _ours[name] for name in BRINGS}


def _send(signal: NamedSignal, app: Flask, brought: dict[str, Any]) -> None:
    for listener in signal.receivers_for(app):
        try:
            listener(app, **brought)
        except Exception:
            app.logger.exception("S2S: a listener to %s failed", signal.name)
            session().rollback()  # it may have spoilt the session that the page goes on to read by
