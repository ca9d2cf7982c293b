"""Attaching files to a referral, and handing them to those who may see it."""

from __future__ import annotations

from io import BytesIO

from flask import Blueprint, Response, flash, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, lead, officer, practitioner, school
from s2s_portal.blueprints.pages import page, refuse
from s2s_portal.blueprints.referrals.file_forms import FileForm, RemoveForm
from s2s_portal.database import unit_of_work
from s2s_portal.errors import NotAllowed, NotFound, Refused
from s2s_portal.identity import current_actor
from s2s_portal.models.attachment import FileType
from s2s_portal.models.referral import Referral
from s2s_portal.services import attachments, drafting, openings, sections
from s2s_portal.state import setting

bp = Blueprint("files", __name__)
DONE = "s2s-success"
readers = school | officer | practitioner | lead

# A file is somebody else's: whatever is in it, a browser may only put it on the disk.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@bp.route("/<reference>/files", methods=["GET", "POST"])
@allow(school)
def index(reference: str) -> ResponseReturnValue:
    """The files of a referral in the school's hands, and the form that adds one."""
    referral = _mine(reference)
    if not openings.is_open(referral, attachments.SECTION) and request.method == "GET":
        return redirect(url_for("s2s.referrals.show", reference=referral.reference))
    form = FileForm()
    if form.validate_on_submit():
        try:
            file = attachments.checked(*form.sent())
            with unit_of_work() as work:
                attachments.add(
                    work,
                    drafting.in_hand(reference, by=current_actor()),
                    file,
                    type=FileType(form.type.data),
                    label=form.label.data,
                    by=current_actor(),
                )
            flash("The file has been added. It is now being checked for viruses.", DONE)
            return redirect(url_for(".index", reference=referral.reference))
        except Refused as error:
            refuse(form, error)
    return page(
        "s2s/referrals/files.html",
        form=form,
        remove=RemoveForm(formdata=None),
        referral=(referral := _mine(reference)),
        shown=attachments.shown(referral, refused=True),
        in_hand=openings.is_open(referral, attachments.SECTION),
        offered=attachments.offered(),
        must_stay=attachments.must_stay(referral),
        most=setting("S2S_FILES_MOST"),
        megabytes=setting("S2S_FILE_LARGEST_MB"),
        following=sections.next_after(referral, "practicalities"),
    )


def _mine(reference: str) -> Referral:
    """The school's referral, where there is anything to do with files at all."""
    referral = drafting.mine(reference, by=current_actor())
    if not attachments.offered() and not referral.files:
        raise NotFound()
    return referral


@bp.post("/<reference>/files/remove")
@allow(school)
def remove(reference: str) -> ResponseReturnValue:
    """Take one file off; a second press finds it gone, and that is no mistake."""
    form = RemoveForm()
    referral = drafting.mine(reference, by=current_actor())
    if form.validate_on_submit() and form.which:
        try:
            with unit_of_work() as work:
                held = drafting.in_hand(reference, by=current_actor())
                label = attachments.remove(work, held, form.which, by=current_actor())
                then = sections.problem(held, "sharing")
            flash(f"“{label}” has been removed. {then}".strip(), DONE)
        except NotFound:
            flash("That file is not there any more.", DONE)
    return redirect(url_for(".index", reference=referral.reference))


@bp.get("/<reference>/files/<int:number>")
@allow(readers)
def download(reference: str, number: int) -> ResponseReturnValue:
    """One file, for everybody who may see the referral, to keep and open by themselves."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise NotAllowed("Open this file from the page of its referral.")
    file = attachments.opened(reference, number)
    answer: Response = send_file(
        BytesIO(file.content),
        mimetype=file.media_type,
        as_attachment=True,
        download_name=file.name,
    )
    answer.headers.update(HEADERS)
    return answer
