"""Mail to people: decided in the transaction, sent after it, without a word about a child (F104).

A notice carries the reference, the school's name where the reader knows it anyway, and a link that
needs sign-on. Practitioners are named by id and found when the mail is sent, as the person who
causes a notice may not read the practitioner's own row.
"""

from __future__ import annotations

from email.utils import make_msgid
from urllib.parse import urlsplit

from flask import current_app, request, url_for
from flask_mail import Message
from sqlalchemy import select

from s2s_portal import jobs
from s2s_portal.database import UnitOfWork, session
from s2s_portal.models.conversation import AdviceRequest
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.rendering import fragment
from s2s_portal.state import setting, state

About = Referral | AdviceRequest

SUBJECTS = {
    "draft_expires": "Draft referral {reference} will soon be deleted",
    "referral_submitted": "Referral {reference} has been received",
    "referral_handed_over": "Referral {reference} has been handed over to your team",
    "referral_resubmitted": "Referral {reference} has been received again",
    "referral_accepted": "Referral {reference} has been accepted",
    "referral_declined": "Referral {reference}: a decision has been made",
    "referral_returned": "Referral {reference} needs more information",
    "answer_due": "Referral {reference}: please answer soon",
    "referral_answered": "Referral {reference}: the school has answered you",
    "referral_unanswered": "Referral {reference} has been closed: not answered",
    "referral_return_reopened": "Referral {reference} can be answered again",
    "referral_advised": "Referral {reference}: advice for you",
    "referral_redirected": "Referral {reference}: another service",
    "referral_waiting_listed": "Referral {reference} is on the waiting list",
    "referral_held": "Referral {reference} is on hold",
    "referral_released": "Referral {reference} is no longer on hold",
    "referral_decision_undone": "Referral {reference}: the decision has been taken back",
    "referral_allocated": "Referral {reference} has a practitioner",
    "allocated_to_you": "Referral {reference} has been allocated to you",
    "allocated_to_your_staff": "Referral {reference} has been allocated to your school",
    "offered_to_you": "Referral {reference} is offered to you",
    "offer_due": "Referral {reference}: please answer the offer soon",
    "offer_to_release": "Referral {reference}: please confirm the release of your staff",
    "offer_ended": "Referral {reference} is no longer offered to you",
    "offer_accepted": "Referral {reference}: your offer has been accepted",
    "offer_declined": "Referral {reference}: your offer has been declined",
    "offer_lapsed": "Referral {reference}: your offer has not been answered",
    "taking_asked": "Referral {reference}: a practitioner asks for it",
    "taking_refused": "Referral {reference}: the answer to your request",
    "request_ended": "Referral {reference} has gone to somebody else",
    "referral_reallocated": "Referral {reference} has another practitioner",
    "referral_taken_back": "Referral {reference}: we look for another practitioner",
    "no_longer_yours": "Referral {reference} is no longer yours",
    "no_longer_with_your_staff": "Referral {reference} is no longer with your school",
    "records_to_finish": "Referral {reference}: please finish your records",
    "hand_over_asked": "Referral {reference}: please write a hand-over note",
    "hand_over_written": "Referral {reference}: there is a hand-over note",
    "support_added": "Referral {reference}: another practitioner joins in",
    "support_asked_of_you": "You are asked to join in referral {reference}",
    "support_ended": "Referral {reference}: a practitioner no longer joins in",
    "support_ended_for_you": "You no longer join in referral {reference}",
    "visit_booked": "Referral {reference}: a visit has been booked",
    "record_issued": "Referral {reference}: a visit record is ready to read",
    "addendum_written": "Referral {reference}: a visit record has an addition",
    "record_acknowledged": "Referral {reference}: the school has read your record",
    "outcomes_recorded": "Referral {reference}: what was achieved has been recorded",
    "referral_to_decide": "Referral {reference} is waiting for a decision",
    "referral_to_close": "Referral {reference} is ready to close",
    "referral_closed": "Referral {reference} has been closed",
    "file_refused": "Referral {reference}: a file has been refused",
    "referral_reopened": "Referral {reference} has been reopened",
    "referral_amended": "Referral {reference} has been amended",
    "referral_withdrawn": "Referral {reference} has been withdrawn",
    "referral_agreement_withdrawn": "Referral {reference}: the support has been stopped",
    "colleague_asked": "A school asks you to fill in one section",
    "colleague_handed_back": "Draft referral {reference}: a colleague has filled in a section",
    "head_asked": "Draft referral {reference} is waiting for your agreement",
    "head_agreed": "Draft referral {reference}: the head has agreed",
    "head_not_yet": "Draft referral {reference}: the head has not agreed yet",
    "message_waiting": "{reference}: there is a message for you",
    "advice_answered": "Request for advice {reference} has been answered",
    "practitioner_invited": "You are invited to School to School Support",
}


def link_to(endpoint: str, **values: str | int) -> str:
    """The full address of one of our pages, as a reader of a mail needs it."""
    path = _path_to(endpoint, values)
    base = (setting("S2S_EXTERNAL_URL") or (request.host_url if request else "")).rstrip("/")
    # Below a proxy's prefix the path begins with what the portal's address may end with.
    prefix = urlsplit(base).path
    return base.removesuffix(prefix) + path if path.startswith(f"{prefix}/") else base + path


def _path_to(endpoint: str, values: dict[str, str | int]) -> str:
    if request:
        return url_for(endpoint, _external=False, **values)  # type: ignore[arg-type]
    root = current_app.config["APPLICATION_ROOT"]  # a job: no request says where we are mounted
    return str(current_app.url_map.bind("", script_name=root).build(endpoint, values))


def tell_address(
    work: UnitOfWork, notice: str, address: str, referral: About, link: str, day: str = ""
) -> None:
    """Send `notice` (a key of SUBJECTS) to a mail address once the transaction stands.

    `day` is the one that the notice is about, in words, if there is one.
    """
    if address:
        about = {"day": day} if day else {}
        _defer(work, notice, referral, link, address=address, **about)


def tell_school(work: UnitOfWork, notice: str, referral: Referral, link: str) -> None:
    """Send `notice` to the contact that the school named in the referral."""
    tell_address(work, notice, referral.contact_email, referral, link)


def tell_officers(work: UnitOfWork, notice: str, referral: Referral) -> None:
    """Send `notice` to the officers' shared mailbox, if the council has named one."""
    link = link_to("s2s.triage.show", reference=referral.reference)
    tell_officer_mailbox(work, notice, referral, link)


def tell_officer_mailbox(work: UnitOfWork, notice: str, about: About, link: str) -> None:
    """Send `notice` to that mailbox with a `link` of its own."""
    tell_address(work, notice, setting("S2S_OFFICER_MAILBOX") or "", about, link)


def tell_practitioner(
    work: UnitOfWork, notice: str, practitioner_id: int, referral: Referral, link: str
) -> None:
    """Send `notice` to a practitioner, whose address is looked up when it is sent."""
    _defer(work, notice, referral, link, practitioner_id=practitioner_id)


def tell_leads(
    work: UnitOfWork, notice: str, provider_urn: int, referral: Referral, link: str
) -> None:
    """Send `notice` to each lead of a Complex Needs School."""
    _defer(work, notice, referral, link, provider_urn=provider_urn)


def _defer(
    work: UnitOfWork, notice: str, referral: About, link: str, **recipient: str | int
) -> None:
    if notice not in SUBJECTS:
        raise KeyError(notice)
    jobs.defer(
        work.session,
        jobs.SEND_MAIL,
        notice=notice,
        reference=referral.reference,
        school=referral.school_name,
        link=link,
        message_id=make_msgid(domain="s2s.invalid"),
        **recipient,
    )


def send(
    notice: str,
    reference: str,
    school: str,
    link: str,
    message_id: str,
    address: str = "",
    practitioner_id: int | None = None,
    provider_urn: int | None = None,
    day: str = "",
) -> None:
    """Render and send one notice by the host's Flask-Mail: what the worker runs.

    The Message-ID is fixed when the job is made, so that a mail sent twice after a crash can be
    recognised as one.
    """
    recipients = [address] if address else _addresses(practitioner_id, provider_urn)
    if not recipients:
        current_app.logger.warning("S2S: nobody to send %s about %s to", notice, reference)
        return
    body = fragment(
        f"s2s/mail/{notice}.txt", reference=reference, school=school, link=link, day=day
    )
    deliver(SUBJECTS[notice].format(reference=reference), body, recipients, message_id)


def deliver(subject: str, body: str, recipients: list[str], message_id: str) -> None:
    """Hand one mail to the host's Flask-Mail, now."""
    message = Message(
        subject=subject,
        recipients=[*recipients],
        body=body,
        sender=setting("S2S_MAIL_SENDER"),
    )
    message.msgId = message_id
    state().mail.send(message)


def _addresses(practitioner_id: int | None, provider_urn: int | None) -> list[str]:
    query = select(Practitioner.email).where(Practitioner.active)
    if practitioner_id is not None:
        query = query.where(Practitioner.id == practitioner_id)
    else:
        query = query.where(Practitioner.provider_urn == provider_urn, Practitioner.is_lead)
    return list(session().scalars(query.order_by(Practitioner.id)))
