"""What happens after the transaction: mail, and the regular check of the ledger.

A job is deferred on the transaction's own connection, so a change that is rolled back leaves no
job, and a change that stands always has its mail (F109). `flask s2s worker` runs them; each runs in
the host's app context as the service itself.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import procrastinate
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from s2s_portal.identity import SYSTEM, acting_as

SEND_MAIL = "s2s.send_mail"
SEND_INVITATION = "s2s.send_invitation"
SEND_CONTRIBUTION = "s2s.send_contribution"
END_CONTRIBUTIONS = "s2s.end_contributions"
VERIFY_LEDGER = "s2s.verify_ledger"
KEEP_DRAFTS = "s2s.keep_drafts"
KEEP_QUESTIONS = "s2s.keep_questions"
SWEEP_SIGN_ONS = "s2s.sweep_sign_ons"
SCAN_FILE = "s2s.scan_file"
DELETE_FILE = "s2s.delete_file"
SCAN_FILES_LEFT = "s2s.scan_files_left"
SWEEP_FILES = "s2s.sweep_files"
KEEP_CLOCKS = "s2s.keep_clocks"
NEW_DATES = "s2s.new_dates"
KEEP_OFFERS = "s2s.keep_offers"
DAILY_LISTS = "s2s.daily_lists"
SEND_DAILY_LIST = "s2s.send_daily_list"
TRIES = 30
LONGEST_WAIT = 900  # seconds

# It has no connection of its own and is given ours. Within the worker the queue's own connector
# talks asynchronously, and could not use it: a job could then ask for no other.
DEFERRING = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())


class PatientRetry(procrastinate.BaseRetryStrategy):
    """Try again after 5, 10, 20 ... seconds, at most a quarter of an hour apart, 30 times."""

    def get_retry_decision(
        self, *, exception: BaseException, job: procrastinate.jobs.Job
    ) -> procrastinate.RetryDecision | None:
        """When to try `job` again, or None to give it up as failed."""
        if job.attempts >= TRIES:
            return None
        wait = min(5 * 2 ** min(job.attempts, 10), LONGEST_WAIT)
        return procrastinate.RetryDecision(retry_in={"seconds": wait})


def build(app: Flask, engine: Engine) -> procrastinate.App:
    """The queue of one mounted app. Nothing connects until a job is deferred or a worker starts."""
    connector = procrastinate.PsycopgConnector(kwargs=partial(_connection_like, engine))
    jobs = procrastinate.App(connector=connector)

    @jobs.task(name=SEND_MAIL, retry=PatientRetry(), queue="mail")
    def send_mail(**arguments: Any) -> None:
        from s2s_portal.services import notices

        with app.app_context(), acting_as(SYSTEM):
            notices.send(**arguments)

    @jobs.task(name=SEND_INVITATION, retry=PatientRetry(), queue="mail")
    def send_invitation(**arguments: Any) -> None:
        from s2s_portal.services import invitations

        with app.app_context(), acting_as(SYSTEM):
            invitations.send(**arguments)

    @jobs.periodic(cron="17 * * * *")
    @jobs.task(name=VERIFY_LEDGER, queue="upkeep", queueing_lock=VERIFY_LEDGER)
    def verify_ledger(timestamp: int) -> None:  # noqa: ARG001  (every periodic task is given it)
        from s2s_portal.services import verification

        with app.app_context(), acting_as(SYSTEM):
            verification.verify_and_note()

    @jobs.periodic(cron="43 4 * * *")
    @jobs.task(name=SWEEP_SIGN_ONS, queue="upkeep", queueing_lock=SWEEP_SIGN_ONS)
    def sweep_sign_ons(timestamp: int) -> None:  # noqa: ARG001
        from s2s_portal import sign_ons

        with app.app_context(), acting_as(SYSTEM):
            sign_ons.sweep()

    @jobs.periodic(cron="12 6 * * *")
    @jobs.task(name=KEEP_DRAFTS, queue="upkeep", queueing_lock=KEEP_DRAFTS)
    def keep_drafts(timestamp: int) -> None:  # noqa: ARG001
        from s2s_portal.services import drafts

        with app.app_context(), acting_as(SYSTEM):
            drafts.upkeep()

    @jobs.periodic(cron="22 6 * * *")
    @jobs.task(name=KEEP_QUESTIONS, queue="upkeep", queueing_lock=KEEP_QUESTIONS)
    def keep_questions(timestamp: int) -> None:  # noqa: ARG001
        from s2s_portal.services import returning

        with app.app_context(), acting_as(SYSTEM):
            returning.upkeep()

    _add_colleague_tasks(app, jobs)
    _add_file_tasks(app, jobs)
    _add_clock_tasks(app, jobs)
    _add_offer_tasks(app, jobs)
    return jobs


def _add_colleague_tasks(app: Flask, jobs: procrastinate.App) -> None:
    """The link for a colleague who was asked to fill in a section, and when it ends."""

    @jobs.task(name=SEND_CONTRIBUTION, retry=PatientRetry(), queue="mail")
    def send_contribution(**arguments: Any) -> None:
        from s2s_portal.services import colleagues

        with app.app_context(), acting_as(SYSTEM):
            colleagues.send(**arguments)

    @jobs.periodic(cron="22 6 * * *")
    @jobs.task(name=END_CONTRIBUTIONS, queue="upkeep", queueing_lock=END_CONTRIBUTIONS)
    def end_contributions(timestamp: int) -> None:  # noqa: ARG001
        from s2s_portal.services import colleagues

        with app.app_context(), acting_as(SYSTEM):
            colleagues.end_expired()


def _add_file_tasks(app: Flask, jobs: procrastinate.App) -> None:
    """What follows when a file is attached or removed, and the regular look at what was left."""

    @jobs.task(name=SCAN_FILE, retry=PatientRetry(), queue="files")
    def scan_file(attachment_id: int, link: str) -> None:
        from s2s_portal.services import file_upkeep

        with app.app_context(), acting_as(SYSTEM):
            file_upkeep.scan(attachment_id, link)

    @jobs.task(name=DELETE_FILE, retry=PatientRetry(), queue="files")
    def delete_file(attachment_id: int) -> None:
        from s2s_portal.services import file_upkeep

        with app.app_context(), acting_as(SYSTEM):
            file_upkeep.delete(attachment_id)

    @jobs.periodic(cron="*/15 * * * *")
    @jobs.task(name=SCAN_FILES_LEFT, queue="files", queueing_lock=SCAN_FILES_LEFT)
    def scan_files_left(timestamp: int) -> None:  # noqa: ARG001
        from s2s_portal.services import file_upkeep

        with app.app_context(), acting_as(SYSTEM):
            file_upkeep.scan_left()

    @jobs.periodic(cron="13 3 * * *")
    @jobs.task(name=SWEEP_FILES, queue="upkeep", queueing_lock=SWEEP_FILES)
    def sweep_files(timestamp: int) -> None:  # noqa: ARG001
        from s2s_portal.services import file_upkeep

        with app.app_context(), acting_as(SYSTEM):
            file_upkeep.sweep()


def _add_clock_tasks(app: Flask, jobs: procrastinate.App) -> None:
    """What promises need: a look each hour, new dates when asked for, a mail in the morning."""

    @jobs.periodic(cron="7 * * * *")
    @jobs.task(name=KEEP_CLOCKS, queue="upkeep", queueing_lock=KEEP_CLOCKS)
    def keep_clocks(timestamp: int) -> None:  # noqa: ARG001
        from s2s_portal.services import clocks

        with app.app_context(), acting_as(SYSTEM):
            clocks.upkeep()

    @jobs.task(name=NEW_DATES, retry=PatientRetry(), queue="upkeep")
    def new_dates(reason: str, by_id: str, by_name: str) -> None:
        from s2s_portal.services import clock_rules

        with app.app_context(), acting_as(SYSTEM):
            clock_rules.work_out_anew(reason=reason, by_id=by_id, by_name=by_name)

    @jobs.periodic(cron="30 6 * * *")
    @jobs.task(name=DAILY_LISTS, queue="upkeep", queueing_lock=DAILY_LISTS)
    def daily_lists(timestamp: int) -> None:  # noqa: ARG001
        from s2s_portal.services import daily_list

        with app.app_context(), acting_as(SYSTEM):
            daily_list.send_out()

    @jobs.task(name=SEND_DAILY_LIST, retry=PatientRetry(), queue="mail")
    def send_daily_list(**arguments: Any) -> None:
        from s2s_portal.services import daily_list

        with app.app_context(), acting_as(SYSTEM):
            daily_list.send(**arguments)


def _add_offer_tasks(app: Flask, jobs: procrastinate.App) -> None:
    """Offers that nobody answers: a reminder, then the end."""

    @jobs.periodic(cron="27 * * * *")
    @jobs.task(name=KEEP_OFFERS, queue="upkeep", queueing_lock=KEEP_OFFERS)
    def keep_offers(timestamp: int) -> None:  # noqa: ARG001
        from s2s_portal.services import offer_answers

        with app.app_context(), acting_as(SYSTEM):
            offer_answers.upkeep()


def _connection_like(engine: Engine) -> dict[str, Any]:
    """How to connect as `engine` does, for the queue's own connections, with our search path.

    Asked of a connection that the engine has made: a host may say where its server is in the URL,
    in `connect_args`, or to each connection by an event, as with a token that lasts an hour.
    """
    made = engine.raw_connection()
    try:
        info = made.driver_connection.info  # type: ignore[union-attr]
        parameters: dict[str, Any] = info.get_parameters()
        if info.password:
            parameters["password"] = info.password
        parameters["options"] = f"{parameters.get('options', '')} -c search_path=s2s"
        return parameters
    finally:
        made.close()


def defer(session: Session, task: str, queue: str = "mail", /, **arguments: Any) -> None:
    """Ask for `task` once this session's transaction stands; nothing remains of a rollback."""
    connection = session.connection().connection.driver_connection
    DEFERRING.configure_task(task, connection=connection, queue=queue).defer(**arguments)
