"""Rows to look around in: invented schools, staff and pupils, and referrals in every state.

Everything goes through the services, as real people would cause it, with the clock set to when it
happened; so events, charges, records and their PDFs are the real thing. The same day gives the same
demonstration, but for the references, which are always random.
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from flask import current_app
from sqlalchemy import exists, select, text

from s2s_portal import audit, clock
from s2s_portal.database import session, unit_of_work
from s2s_portal.identity import SYSTEM, acting_as
from s2s_portal.models.establishment import SettingKind
from s2s_portal.models.practitioner import Practitioner
from s2s_portal.models.referral import Referral
from s2s_portal.reference_portal.demonstration_panels import meeting
from s2s_portal.reference_portal.demonstration_schools import establishments
from s2s_portal.reference_portal.demonstration_staff import practitioners, records
from s2s_portal.reference_portal.demonstration_stories import Step, steps
from s2s_portal.reference_portal.demonstration_talk import talk
from s2s_portal.services import clocks, drafts, intake, offer_answers, returning, verification

SEED = 44_19
WINDOW_OPENED, WINDOW_CLOSES = 60, 40  # days ago, days ahead
COMMISSIONED = {SettingKind.MAINSTREAM: 85, SettingKind.EARLY_YEARS: 50}
DAYS_OF_UPKEEP = 60
MAIL_KEPT = 10  # of the newest notices; the older ones would all be sent today


def seed(address: str = "http://127.0.0.1:5000") -> str:
    """Fill an empty service; answers what it did, in a sentence.

    Does nothing when there is any referral. `address` is the portal's, for the links in mail.
    """
    with acting_as(SYSTEM):
        session().rollback()
        if session().scalar(select(exists().where(Referral.id.is_not(None)))):
            session().rollback()
            return "There are referrals already, so no demonstration was added."
        _add_schools_and_staff()
        _take_requests(clock.today())
    told = steps(clock.today(), Random(SEED))  # noqa: S311 (nothing here is secret)
    with current_app.test_request_context(base_url=address):
        for step in [*told, *talk(clock.today()), *meeting(clock.today())]:
            _take(step)
        with acting_as(SYSTEM):
            _keep_up(clock.today())
    with acting_as(SYSTEM):
        _drop_old_mail()
        verification.verify_and_note()
        count = len(session().scalars(select(Referral.id)).all())
        session().rollback()
    return f"Added a demonstration of {count} referrals from invented schools."


def _add_schools_and_staff() -> None:
    with unit_of_work() as work:
        for school in establishments():
            work.session.merge(school)
        work.flush()
        known = set(work.session.scalars(select(Practitioner.account_id)))
        added = [one for one in practitioners() if one.account_id not in known]
        work.session.add_all(added)
        work.flush()
        numbers = {str(one.account_id): one.id for one in added}
        work.session.add_all(records(numbers, _a_mainstream_school(), clock.today()))
        work.flush()
        audit.wrote(work, "added", "demonstration", len(establishments()))


def _a_mainstream_school() -> int:
    """The URN of one school that refers."""
    return min(school.urn for school in establishments() if not school.is_special)


def _take_requests(today: date) -> None:
    """Requests without a limit until lately; now as many as Norfolk commissioned in autumn 2024
    (85 from mainstream schools, 50 from early years settings)."""
    opens = today - timedelta(days=WINDOW_OPENED)
    with clock.frozen(opens - timedelta(days=1)):
        for line in intake.windows():
            kind = line.window.setting_kind
            with unit_of_work() as work:
                intake.close_window(
                    work,
                    line.window.id,
                    closes=clock.today(),
                    reason="From now on there is a limit",
                    by=SYSTEM,
                )
                intake.open_window(
                    work,
                    kind,
                    opens=opens,
                    closes=today + timedelta(days=WINDOW_CLOSES),
                    quota=COMMISSIONED[kind],
                    source="Invented, with the numbers of Norfolk’s notice of autumn 2024",
                    by=SYSTEM,
                )


def _keep_up(today: date) -> None:
    """What the daily jobs would have done by now."""
    for ago in range(DAYS_OF_UPKEEP, -1, -1):
        with clock.frozen(today - timedelta(days=ago)):
            drafts.upkeep()
            clocks.upkeep()
            returning.upkeep()
            offer_answers.upkeep()


def _take(step: Step) -> None:
    """Take one step as its person, at its time; then note what that person looked at."""
    with clock.frozen(step.at), acting_as(step.by):
        session().rollback()
        with unit_of_work() as work:
            step.act(work, step.by)
        audit.write_reads(200)


def _drop_old_mail() -> None:
    session().rollback()
    session().execute(
        text(
            "DELETE FROM s2s.procrastinate_jobs WHERE task_name = 's2s.send_mail' AND id <"
            " (SELECT min(id) FROM (SELECT id FROM s2s.procrastinate_jobs ORDER BY id DESC"
            " LIMIT :kept) AS newest)"
        ),
        {"kept": MAIL_KEPT},
    )
    session().commit()
