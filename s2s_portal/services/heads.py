"""A head agrees to a draft and to its fee, where the council asks for that (`S2S_HEAD_AGREES`).

The school asks; the head reads the whole draft and agrees, or not yet. What was agreed to is
written down for good: who, when, the words, the fee, and which answers. A change afterwards asks
again. A head who sends the draft themself agrees by sending it. It holds for the first sending, as
that is when the fee is agreed; the setting is the app's, so the rule is here (decision 20).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import aliased

from s2s_portal import audit
from s2s_portal.database import UnitOfWork, session
from s2s_portal.errors import HeadMustAgree, Incomplete, NotAllowed, Refused, Stale
from s2s_portal.identity import Actor, Role
from s2s_portal.models.codes import Status
from s2s_portal.models.colleague import HeadAnswer, HeadDecision, HeadRemark
from s2s_portal.models.referral import Referral
from s2s_portal.services import drafting, notices, sections
from s2s_portal.state import setting

FEE = "the fee"


@dataclass(frozen=True)
class Agreement:
    """Where the head's agreement to a draft stands.

    `last` is what was done last, None when nothing; `changed` names what is not as it was agreed
    to; `remark` is what the head wrote with “Not yet”.
    """

    last: HeadDecision | None
    changed: tuple[str, ...] = ()
    remark: str = ""

    @property
    def holds(self) -> bool:
        """Whether a head has agreed to the draft as it is now."""
        return self._is(HeadAnswer.AGREED) and not self.changed

    @property
    def is_asked(self) -> bool:
        """Whether the head has been asked and has not answered yet."""
        return self._is(HeadAnswer.ASKED)

    @property
    def is_refused(self) -> bool:
        """Whether the head said “Not yet”."""
        return self._is(HeadAnswer.NOT_YET)

    def _is(self, answer: HeadAnswer) -> bool:
        return self.last is not None and self.last.answer is answer


def wanted(referral: Referral) -> bool:
    """Whether this referral is not sent without a head's agreement."""
    return bool(setting("S2S_HEAD_AGREES")) and referral.status is Status.DRAFT


def standing(referral: Referral) -> Agreement | None:
    """Where the head's agreement stands, or None where none is asked for.

    `referral` must be loaded whole.
    """
    if not wanted(referral):
        return None
    query = (
        select(HeadDecision, HeadRemark.text)
        .outerjoin(HeadRemark, HeadRemark.decision_id == HeadDecision.id)
        .where(HeadDecision.referral_id == referral.id)
        .order_by(HeadDecision.id.desc())
        .limit(1)
    )
    found = session().execute(query).one_or_none()
    if found is None:
        return Agreement(None)
    last, remark = found
    changed = _changed(referral, last) if last.answer is HeadAnswer.AGREED else ()
    return Agreement(last, changed, remark or "")


def agreed(referral: Referral) -> HeadDecision | None:
    """The agreement that a referral was sent with, or None: for whoever reads it afterwards.

    Not looked up where the council does not ask for it.
    """
    if not setting("S2S_HEAD_AGREES") or referral.submitted_at is None:
        return None
    query = (
        select(HeadDecision)
        .where(HeadDecision.referral_id == referral.id, HeadDecision.answer == HeadAnswer.AGREED)
        .order_by(HeadDecision.id.desc())
        .limit(1)
    )
    return session().scalars(query).one_or_none()


def statement(referral: Referral) -> str:
    """What a head agrees to, with the fee and the reason for it."""
    return (
        f"I agree that {referral.establishment.name} asks for this support, and that it pays the"
        " engagement fee if the council accepts the referral. The fee is"
        f" {sections.charge(referral).words}."
    )


def marks(referral: Referral) -> dict[str, Any]:
    """Which answers a draft has: when each section was saved, and the numbers of the files."""
    saved = {
        key: referral.answered[key].get("at", "")
        for key in sections.keys(referral)
        if key in referral.answered
    }
    return {**saved, sections.FILES: [file.number for file in referral.files]}


def _changed(referral: Referral, agreed_to: HeadDecision) -> tuple[str, ...]:
    """What differs from what was agreed to, by the titles of the sections."""
    now, then = marks(referral), agreed_to.marks
    titles = sections.titles(referral)
    found = [titles[key] for key in titles if now.get(key) != then.get(key)]
    if sections.charge(referral).amount_pence != agreed_to.fee_pence:
        found.append(FEE)
    return tuple(found)


def ask(work: UnitOfWork, reference: str, *, email: str, by: Actor) -> HeadDecision:
    """Ask the head for their agreement, by a mail to `email` and on their own pages.

    Raises NotFound and Stale as `drafting.in_hand` does, Incomplete before every section is
    answered, Refused where no agreement is wanted, Stale when the head has agreed already.
    """
    referral = drafting.in_hand(reference, by=by)
    now = standing(referral)
    if now is None:
        raise Refused("The head does not have to agree to this referral.")
    _check_complete(referral)
    if now.holds:
        raise Stale("The head has already agreed to the referral as it is.")
    made = _record(work, referral, HeadAnswer.ASKED, by=by)
    link = notices.link_to("s2s.referrals.agree", reference=referral.reference)
    notices.tell_address(work, "head_asked", email, referral, link)
    return made


def decide(
    work: UnitOfWork,
    reference: str,
    *,
    agrees: bool,
    remark: str = "",
    seen: int | None = None,
    pence: int | None = None,
    by: Actor,
) -> HeadDecision:
    """A head of the school agrees to the draft as it is, or says what must change first.

    `seen` is the version of the draft and `pence` the fee that were on the page. Raises NotAllowed
    for anybody but a head, NotFound and Stale as `drafting.in_hand` does, Stale when an answer or
    the fee has changed since, Incomplete, Refused for “Not yet” without a word.
    """
    if not by.has(Role.HEAD):
        raise NotAllowed()
    referral = drafting.in_hand(reference, by=by)
    if not wanted(referral):
        raise Refused("The head does not have to agree to this referral.")
    if seen not in {None, referral.version} or pence not in {
        None,
        sections.charge(referral).amount_pence,
    }:
        raise Stale(
            "The answers or the fee have changed since you opened this page, and nothing has been"
            " saved. Read them again below, then decide."
        )
    if not agrees and not remark:
        raise Refused("Enter what must change before you agree", "remark")
    if agrees:
        _check_complete(referral)
    answer = HeadAnswer.AGREED if agrees else HeadAnswer.NOT_YET
    made = _record(work, referral, answer, by=by, remark="" if agrees else remark)
    link = notices.link_to("s2s.referrals.show", reference=referral.reference)
    notices.tell_school(work, f"head_{answer.value}", referral, link)
    return made


def _check_complete(referral: Referral) -> None:
    left = sections.missing(referral)
    if left:
        raise Incomplete(left)


def _record(
    work: UnitOfWork, referral: Referral, answer: HeadAnswer, *, by: Actor, remark: str = ""
) -> HeadDecision:
    made = HeadDecision(
        referral_id=referral.id,
        answer=answer,
        statement=statement(referral) if answer is HeadAnswer.AGREED else "",
        fee_pence=sections.charge(referral).amount_pence,
        version=referral.version,
        marks=marks(referral),
        by_id=by.id,
        by_name=by.name,
    )
    work.session.add(made)
    work.flush()
    if remark:
        work.session.add(HeadRemark(decision_id=made.id, referral_id=referral.id, text=remark))
    words = {"asked": "asked the head about", "agreed": "agreed to", "not_yet": "said not yet to"}
    audit.wrote(work, words[answer.value], "referral", referral.reference)
    return made


def check(work: UnitOfWork, referral: Referral, *, by: Actor) -> None:
    """Before a draft is sent: raise HeadMustAgree unless a head has agreed to it as it is.

    A head who sends it agrees by that, and it is written down.
    """
    now = standing(referral)
    if now is None or now.holds:
        return
    if by.has(Role.HEAD):
        _record(work, referral, HeadAnswer.AGREED, by=by)
        return
    if now.changed and now.last is not None:
        raise HeadMustAgree(
            f"Changed since {now.last.by_name} agreed: {', '.join(now.changed)}. Ask the head to"
            " agree again, then send the referral."
        )
    raise HeadMustAgree("The head must agree before the referral can be sent. Ask them first.")


def is_asked() -> ColumnElement[bool]:
    """For a query of referrals: drafts whose head was asked last and has not answered."""
    later = aliased(HeadDecision)
    newest = (
        select(func.max(later.id))
        .where(later.referral_id == Referral.id)
        .correlate(Referral)
        .scalar_subquery()
    )
    return (Referral.status == Status.DRAFT) & exists().where(
        HeadDecision.referral_id == Referral.id,
        HeadDecision.id == newest,
        HeadDecision.answer == HeadAnswer.ASKED,
    )


def waiting(*, by: Actor) -> list[Referral]:
    """The drafts that wait for the agreement of `by`, a head, those begun first first.

    None where the council does not ask for it.
    """
    if not by.has(Role.HEAD) or not setting("S2S_HEAD_AGREES"):
        return []
    query = (
        select(Referral)
        .where(Referral.urn.in_(by.establishments), is_asked())
        .order_by(Referral.created_at, Referral.id)
    )
    return list(session().scalars(query))
