"""The school's journey: start, short pages, check, send, and see where it stands."""

from __future__ import annotations

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from s2s_portal.access import allow, school
from s2s_portal.blueprints import threads
from s2s_portal.blueprints.forms import ButtonForm, tidy
from s2s_portal.blueprints.pages import page, refuse, time_of_day
from s2s_portal.blueprints.referrals import start_views
from s2s_portal.blueprints.referrals.fields import SectionForm
from s2s_portal.blueprints.referrals.forms import KindForm
from s2s_portal.blueprints.referrals.kind_changed import changed_page, of_another_kind
from s2s_portal.blueprints.referrals.section_pages import PAGES, page_of
from s2s_portal.database import unit_of_work
from s2s_portal.errors import Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.answer import DraftCopy
from s2s_portal.models.clocks import ReferralClock
from s2s_portal.models.codes import Kind, Status
from s2s_portal.models.colleague import Contribution
from s2s_portal.models.referral import Referral
from s2s_portal.services import (
    advice_list,
    attachments,
    changes,
    clocks,
    colleagues,
    contributions,
    copies,
    copying,
    decided,
    drafting,
    drafts,
    earlier,
    form_versions,
    heads,
    labels,
    openings,
    promises,
    reading,
    referrals,
    repeats,
    school_list,
    sections,
    standing,
    subjects,
    submission,
    supporting,
    waiting_messages,
    withdrawing,
)

bp = Blueprint("referrals", __name__)
ROWS = frozenset(referrals.ROWS)  # what the whole form asks
# "kind" has a page of its own, but an address like the others.
SECTION = f"<any(kind, {', '.join(PAGES)}):section>"

bp.add_url_rule("/start", view_func=start_views.start, methods=["GET", "POST"])
bp.add_url_rule(
    f"/start/{start_views.QUESTION}", view_func=start_views.screen, methods=["GET", "POST"]
)
bp.add_url_rule("/start/instead/<way>", view_func=start_views.instead)


@bp.route("/", methods=["GET", "POST"])
@allow(school)
def index() -> ResponseReturnValue:
    """The school's referrals, newest first, or what was searched for.

    A search is sent, not asked for in the address: it may be a child's name, and addresses are
    kept in histories and logs.
    """
    asked = request.form if request.method == "POST" else request.args
    search = tidy(request.form.get("q", ""))[:100]
    wanted = asked.get("status", "")
    status = Status(wanted) if wanted in set(Status) else None
    after = asked.get("after") or None
    found = school_list.listed(by=current_actor(), status=status, search=search, after=after)
    return page(
        "s2s/referrals/index.html",
        found=found,
        standing=standing,
        button=ButtonForm(),
        to_agree=heads.waiting(by=current_actor()),
        status=status,
        search=search,
        words=school_list.STATUS_WORDS,
        waiting=waiting_messages.count(by=current_actor()),
        advice_open=[] if asked else advice_list.open_of_school(by=current_actor()),
    )


@bp.get("/<reference>/")
@allow(school)
def show(reference: str) -> ResponseReturnValue:
    """The task list while it is the school's to change; afterwards, where it stands."""
    referral, promised = _opened(reference)
    if referral.status is Status.EXPIRED:
        return page("s2s/referrals/expired.html", referral=referral, standing=standing)
    in_hand = drafting.is_in_hand(referral)
    template = "task_list" if in_hand else "show"
    shown = threads.talk(referral)
    answer = page(
        f"s2s/referrals/{template}.html",
        referral=referral,
        standing=standing,
        sections=sections,
        kept=drafts.kept_words(referral),
        colleagues=colleagues,
        asked_of=colleagues.latest(referral),
        head=heads.standing(referral),
        agreed_by_head=heads.agreed(referral),
        missing=submission.missing(referral) if in_hand else [],
        earlier=earlier.of(referral) if in_hand and repeats.are_known(referral) else [],
        charge=sections.charge(referral),
        support_words=supporting.ROLE_WORDS,
        parts=[] if in_hand else reading.parts(referral),
        attached=attachments.shown(referral, refused=True),
        evidence=attachments.evidence(referral),
        files_offered=attachments.offered(),
        asked=openings.asked(referral),
        changes=changes.log(referral) if referral.submitted_at else [],
        may_amend=changes.may_amend(referral),
        may_withdraw=referral.status in withdrawing.WITHDRAWABLE,
        ended_agreement=withdrawing.agreement_withdrawal(referral),
        expected=promises.expected(referral, promised),
        place=decided.place(referral),
        decision=None if in_hand else decided.current(referral),
        told=decided.told(referral),
        may_copy=copying.can_copy(referral),
        follows=copying.follows(referral),
        talk=shown,
    )
    return threads.read(shown, answer)


def _opened(reference: str) -> tuple[Referral, list[ReferralClock]]:
    """The referral and its clocks, once a promise that is found broken is noted; a draft has
    been promised nothing."""

    def read() -> tuple[Referral, list[ReferralClock]]:
        referral = drafting.mine(reference, by=current_actor(), only=ROWS)
        return referral, clocks.of(referral) if referral.submitted_at else []

    _referral, found = opened = read()
    if not clocks.has_broken(found):
        return opened
    clocks.note_broken(reference)
    return read()


@bp.route("/<reference>/kind", methods=["GET", "POST"])
@allow(school)
def kind(reference: str) -> ResponseReturnValue:
    """What the referral is for: first of all, and before a change says what it drops."""
    referral = drafting.mine(reference, by=current_actor(), only=())
    form = KindForm(data={"kind": referral.kind, "seen": drafting.seen_mark(referral, "kind")})
    form.offer(form_versions.of(referral).asked)
    dropped: list[str] = []
    if form.validate_on_submit():
        chosen, told = Kind(form.kind.data), (form.told.data or "").split(",")
        dropped = subjects.would_drop(referral, chosen)
        if set(dropped) <= set(told):
            try:
                with unit_of_work() as work:
                    held = drafting.in_hand(reference, by=current_actor())
                    subjects.choose_kind(
                        *(work, held),
                        kind=chosen,
                        told=told,
                        seen=form.seen.data or "",
                        by=current_actor(),
                    )
                return _onwards(reference, "kind")
            except Refused as error:
                refuse(form, error)
                referral = drafting.mine(reference, by=current_actor())
                dropped = []
    elif not openings.is_open(referral, "kind"):
        return redirect(url_for(".show", reference=referral.reference))
    form.seen.data, form.told.data = drafting.seen_mark(referral, "kind"), ",".join(dropped)
    return page(
        "s2s/referrals/kind.html",
        form=form,
        referral=referral,
        dropped=[sections.title(referral, key) for key in dropped],
        labels=labels,
    )


@bp.route(f"/<reference>/{SECTION}", methods=["GET", "POST"])
@allow(school)
def section(reference: str, section: str) -> ResponseReturnValue:
    """One short page of the form."""
    referral = drafting.mine(reference, by=current_actor(), only=(section,))
    elsewhere = _comes_first(referral, section)
    if elsewhere is not None:
        return elsewhere
    if request.method == "GET":
        return _drawn(referral, section)
    theirs = colleagues.handed_back(referral, section, request.args.get("filled", ""))
    form = page_of(referral, section).build(referral, None)
    another = of_another_kind(form, section)
    if another is not None:
        return changed_page(referral, section, another)
    if not form.adjust() and form.validate_on_submit():
        try:
            with unit_of_work() as work:
                held = drafting.in_hand(reference, by=current_actor())
                page_of(referral, section).save(
                    work, held, seen=form.seen.data or "", by=current_actor(), **form.given()
                )
                copies.forget(work, held, section, by=current_actor())
                if theirs is not None:
                    colleagues.take(work, held, theirs, by=current_actor())
            return _onwards(reference, section)
        except Refused as error:
            refuse(form, error)
            referral = drafting.mine(reference, by=current_actor())
    elif not openings.is_open(referral, section):
        return _read_instead(referral, section)
    return section_page(referral, section, form, filled=theirs)


def _drawn(referral: Referral, section: str) -> ResponseReturnValue:
    """The page of a section as it is opened: what is saved, or a copy or a colleague's if asked."""
    if not drafting.is_in_hand(referral):
        return redirect(url_for(".show", reference=referral.reference))
    if not openings.is_open(referral, section):
        return _read_instead(referral, section)
    theirs = colleagues.handed_back(referral, section, request.args.get("filled", ""))
    if theirs is not None:
        return _filled_in_page(referral, theirs)
    copy = copies.of(referral, section, by=current_actor())
    using = copy if copy is not None and "copy" in request.args else None
    form = page_of(referral, section).build(referral, _typed(using))
    return section_page(referral, section, form, copy=None if using else copy)


def _read_instead(referral: Referral, section: str) -> ResponseReturnValue:
    here = url_for(".check", reference=referral.reference, _anchor=f"part-{section}")
    return redirect(here)


def _filled_in_page(referral: Referral, theirs: Contribution) -> ResponseReturnValue:
    """A section as a colleague filled it in, to look at and save; with what is saved if it is not
    as it was when they were asked."""
    sketch = contributions.as_filled_in(referral, theirs)
    form = page_of(referral, theirs.section).build(sketch, None)
    form.out_of_order = theirs.seen != drafting.seen_mark(referral, theirs.section)
    return section_page(referral, theirs.section, form, filled=theirs)


def _typed(copy: DraftCopy | None) -> MultiDict[str, str] | None:
    """A copy as a form reads it."""
    return MultiDict([(name, text) for name, text in copy.fields]) if copy else None


def _comes_first(referral: Referral, section: str) -> ResponseReturnValue | None:
    """Where to go instead of a section that the referral does not ask, or not yet."""
    reference = referral.reference
    if section in {"subject", "consent"} and referral.kind is None:
        return redirect(url_for(".kind", reference=reference))
    if section not in sections.keys(referral):
        known = section in sections.titles(referral)  # to the form that this referral is asked
        if known and request.method == "POST" and drafting.is_in_hand(referral):
            form = page_of(referral, section).build(referral, None)
            return changed_page(referral, section, form)
        return redirect(url_for(".show", reference=reference))
    if request.method == "GET" and sections.cannot_start(referral, section):
        return redirect(
            url_for(".section", reference=reference, section=sections.AFTER[section][0])
        )
    return None


def section_page(
    referral: Referral,
    section: str,
    form: SectionForm,
    *,
    copy: DraftCopy | None = None,
    filled: Contribution | None = None,
    amending: bool = False,
) -> ResponseReturnValue:
    """The page of a section: in a draft, in answer to the council, or `amending` what was sent.

    With `filled` the form holds what a colleague handed back.
    """
    stale = form.out_of_order and (amending or drafting.is_in_hand(referral))
    if stale:
        form.seen.data = drafting.seen_mark(referral, section)
    declaration = ""
    if section == "declaration":
        declaration = drafting.declaration_words(sections.charge(referral))
    return page(
        f"s2s/referrals/sections/{page_of(referral, section).template}.html",
        form=form,
        referral=referral,
        section=section,
        title=sections.title(referral, section),
        declaration=declaration,
        files_offered=attachments.offered() and openings.is_open(referral, "files"),
        problem=sections.problem(referral, section),
        saved_by_another=reading.part_lines(referral, section) if stale else [],
        earlier=earlier.of(referral) if section == form_versions.REPEAT else [],
        copy=copy,
        in_hand=drafting.is_in_hand(referral),
        button=ButtonForm() if copy else None,
        amending=amending,
        asked=openings.asked(referral).get(section),
        filled=filled,
        waiting=None if filled or amending else colleagues.open_for(referral, section),
        contribution=None,
    )


@bp.post(f"/<reference>/{SECTION}/copy")
@allow(school)
def keep(reference: str, section: str) -> ResponseReturnValue:
    """Keep what has been typed into a section, for its writer: a script asks this while they type.

    With `discard`, from a button, throw away what was kept.
    """
    form = ButtonForm()
    if not form.validate_on_submit():
        raise Refused("The page had expired. What you typed has not been kept.")
    if "discard" in request.form:
        with unit_of_work() as work:
            referral = drafting.mine(reference, by=current_actor())
            copies.forget(work, referral, section, by=current_actor())
        return redirect(url_for(".section", reference=reference, section=section))
    fields = [
        pair for pair in request.form.items(multi=True) if pair[0] != form.meta.csrf_field_name
    ]
    with unit_of_work() as work:
        at = copies.keep(work, reference, section, fields, by=current_actor())
    return {"kept_at": time_of_day(at)}


def _onwards(reference: str, section: str) -> ResponseReturnValue:
    """After a section: the next one that wants something, or the answers to check."""
    referral = drafting.mine(reference, by=current_actor())
    files_next = attachments.offered() and openings.is_open(referral, "files")
    if section == "practicalities" and files_next:
        return redirect(url_for("s2s.files.index", reference=referral.reference))
    following = sections.next_after(referral, section)
    if following is None:
        return redirect(url_for(".check", reference=referral.reference))
    return redirect(url_for(".section", reference=referral.reference, section=following))
