"""The PDF of a referral: for its school and the officers, accessible, with old and new."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import page as validation
import pikepdf
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from s2s_portal.documents.referral import ChangedLine, ChangedPart, ReferralDocument, render
from s2s_portal.models.audit import AuditEntry
from s2s_portal.models.codes import Status
from tests import rows
from tests.client import Client
from tests.unit.test_visit_record_document import HOSTILE, UNPRINTED, unspaced, words

REF = "S2S-19-7K4P"
NAMES = "Siân Ŵyn-Llŷr, Łucja Żółkiewska-Święć, عائشہ چوہدری"
MADE = datetime(2019, 5, 14, 11, tzinfo=UTC)


def document(text: str) -> ReferralDocument:
    """A document that says `text` everywhere."""
    return ReferralDocument(
        reference=REF,
        stands=text,
        facts=(("School", text), (text, "")),
        parts=(
            ("Needs", (("Primary need", text), (text, text))),
            (text or "Tried", ((text, text),)),
        ),
        changes=(
            ChangedPart(
                text or "Needs", text, (ChangedLine(text, text, ""), ChangedLine("x", "", text))
            ),
        ),
        made_at=MADE,
    )


@pytest.mark.parametrize("profile", ["ua1", "2a"])
@pytest.mark.parametrize("text", ["Plain", NAMES, HOSTILE + UNPRINTED, "w" * 3000, ""])
def test_it_meets_the_standards_whatever_was_typed(text: str, profile: str) -> None:
    pdf = render(document(text))
    report = validation.validate_pdf_bytes(pdf, profile=profile)
    assert [failure.message for failure in report.failures] == []


def test_it_says_all_in_its_own_letters_and_markup_is_text() -> None:
    said = unspaced(words(render(document(NAMES + "\n" + HOSTILE + " 🎉"))))
    assert said.count(unspaced("Siân Ŵyn-Llŷr, Łucja Żółkiewska-Święć,")) >= 10
    assert said.count(unspaced(HOSTILE)) >= 10
    assert "[partypopper]" in said
    assert "root:" not in said
    assert render(document(NAMES)) == render(document(NAMES))


def test_school_and_officer_get_it_and_each_copy_is_a_read(
    client: Client, session: Session, may_2019: None
) -> None:
    row = rows.referral(session, REF, status=Status.ALLOCATED)
    rows.allocation(session, row, "practitioner")
    rows.change(session, row)
    session.commit()
    for key, endpoint in (("senco", "referrals.document"), ("officer", "triage.document")):
        answer = client.sign_on(key).open(client.url(endpoint, reference=REF))
        assert answer.status_code == 200
        assert answer.mimetype == "application/pdf"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{REF}.pdf"'
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        said = unspaced(words(answer.data))
        for phrase in ("Canary7K4P", "=1+1 is <b>hard</b>", "Why: A new report", "14 May 2019"):
            assert unspaced(phrase) in said, phrase
        with pikepdf.open(io.BytesIO(answer.data)) as pdf, pdf.open_metadata() as metadata:
            assert metadata["dc:title"] == f"Referral {REF}"
            assert "Canary" not in str(metadata) + str(pdf.docinfo)
    session.commit()
    looked = select(AuditEntry.by_id, AuditEntry.entity_key).where(AuditEntry.action == "looked at")
    assert session.execute(looked).all() == [("senco", REF), ("officer", REF)]


def test_a_draft_has_no_copy(client: Client, session: Session, may_2019: None) -> None:
    rows.referral(session, REF, status=Status.DRAFT)
    session.commit()
    client.sign_on("senco").get("referrals.document", reference=REF, status=409)
