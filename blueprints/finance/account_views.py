"""What schools owe: a school's statement by year, balances and their age, what is open by pull."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from s2s_portal.access import allow, finance, school
from s2s_portal.access import trust as trust_viewer
from s2s_portal.blueprints.finance.views import bp
from s2s_portal.blueprints.pages import page, pdf
from s2s_portal.identity import current_actor
from s2s_portal.services import accounts, balances, statements

__all__ = ["bp"]


@bp.get("/schools/<int:urn>")
@allow(finance | school | trust_viewer)
def statement(urn: int) -> ResponseReturnValue:
    """What one school was charged in a financial year, what was collected, and what it owes."""
    year = statements.from_address(request.args.get("year", ""))
    return page(
        "s2s/finance/statement.html",
        statement=statements.of_year(urn, year, by=current_actor()),
        in_address=statements.in_address,
    )


@bp.get("/schools/<int:urn>/statement.pdf")
@allow(finance | school | trust_viewer)
def statement_pdf(urn: int) -> ResponseReturnValue:
    """The same as a PDF to keep; the file's name has the school's number alone."""
    year = statements.from_address(request.args.get("year", ""))
    found = statements.of_year(urn, year, by=current_actor())
    name = f"s2s-statement-{urn}-{statements.in_address(year)}"
    return pdf(name, statements.as_pdf(found, by=current_actor()))


@bp.get("/balances")
@allow(finance)
def open_balances() -> ResponseReturnValue:
    """What is open and for how long, by school, trust or route; and by pull."""
    wanted = request.args.get("by", "")
    by = balances.By(wanted) if wanted in set(balances.By) else balances.By.SCHOOL
    after = request.args.get("after", "")[:200]
    return page(
        "s2s/finance/balances.html",
        ageing=balances.ageing(by, after=after),
        whole=balances.whole(),
        by=by,
        ways=balances.WAYS,
        pulls=balances.by_pull(before=accounts.place(request.args.get("pulls_before", ""))),
        paused=accounts.totals().paused,
        proposed=balances.proposed(),
    )
