"""The API's own views: entries, pulls, responses, statements; and what it says to anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, MethodNotAllowed, NotFound, UnsupportedMediaType

from s2s_portal.access import allow, any_system, ledger_pull, ledger_read, public
from s2s_portal.blueprints import downloads
from s2s_portal.blueprints.api import document, problems, shapes
from s2s_portal.database import UnitOfWork, unit_of_work
from s2s_portal.errors import OutOfOrder, Refused
from s2s_portal.identity import current_actor
from s2s_portal.services import (
    api_calls,
    ledger_feed,
    pull_downloads,
    pull_progress,
    pulls,
    response_reading,
    responses,
    statements,
)

bp = Blueprint("api", __name__)
problems.handle(bp)
KEY = re.compile(r"[!-~]{1,200}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS")
BIGGEST = 2**63 - 1
NAME = "s2s.api"  # what this blueprint is called where it is mounted
TAKES = {f"{NAME}.entries": {"after", "limit"}, f"{NAME}.all_pulls": {"before", "limit"}}
Did = tuple[int, dict[str, Any], str]


@bp.before_request
def _before() -> None:
    """Count the request, and refuse what nobody takes: a cursor that is misspelt would be none."""
    if request.endpoint != f"{NAME}.openapi":
        api_calls.count(current_actor())
    strange = request.args.keys() - TAKES.get(request.endpoint or "", set())
    if strange and request.endpoint != f"{NAME}.absent":
        raise BadRequest("There is no such parameter in the address.")


@bp.get("/openapi.json")
@allow(public)
def openapi() -> ResponseReturnValue:
    """What the API takes and answers, as OpenAPI 3.1."""
    return document.whole(url_for(".openapi").removesuffix("/openapi.json"))


@bp.get("/entries")
@allow(ledger_read)
def entries() -> ResponseReturnValue:
    """Entries of the ledger after a cursor, oldest first."""
    found = ledger_feed.after(_number("after", 0, 0, BIGGEST), _number("limit", 100, 1, 500))
    return {
        "entries": [shapes.entry(one.entry, one.pull) for one in found.entries],
        "next": found.next,
    }


@bp.get("/pulls")
@allow(ledger_read)
def all_pulls() -> ResponseReturnValue:
    """Pulls, newest first, below a number."""
    size = _number("limit", 25, 1, 100)
    before = _number("before", 2**31 - 1, 1, 2**31 - 1)
    rows = pulls.listing(before=before, size=size + 1)
    return {
        "pulls": [shapes.pull(row.pull, row.progress, row.collected) for row in rows[:size]],
        "next": rows[size - 1].pull.number if len(rows) > size else None,
    }


@bp.post("/pulls")
@allow(ledger_pull)
def make_pull() -> ResponseReturnValue:
    """Pull all that is due, up to the end of a day if one is given."""
    day = _cutoff()

    def make(work: UnitOfWork, key: str) -> Did:
        by = current_actor()
        try:
            made = pulls.make(
                work,
                idempotency_key=f"{by.id}:{key}",
                by=by,
                cutoff=None if day is None else ledger_feed.cutoff(day),
            )
        except Refused as error:  # nothing is due: the request is good, its time is not
            raise OutOfOrder(str(error)) from error
        return 201, _pull(made.number), url_for(".pull", number=made.number)

    return _once(make)


@bp.get("/pulls/<int:number>")
@allow(ledger_read)
def pull(number: int) -> ResponseReturnValue:
    """One pull and its files."""
    return _pull(number)


def _pull(number: int) -> dict[str, Any]:
    found = pulls.get(number)
    far = pull_progress.progress([number])[number]
    files = [shapes.file(number, one) for one in pull_downloads.listed(number)]
    return shapes.pull(found, far, pulls.collected(number)) | {"files": files}


@bp.get("/pulls/<int:number>/files/<name>")
@allow(ledger_read)
def file(number: int, name: str) -> ResponseReturnValue:
    """A file of a pull, the same bytes each time; a repeat is called a copy."""
    with unit_of_work() as work:
        taken = pull_downloads.take(work, number, name, by=current_actor())
    return downloads.answer(taken)


@bp.post("/pulls/<int:number>/responses")
@allow(ledger_pull)
def respond(number: int) -> ResponseReturnValue:
    """Apply a response file to a pull: all of it, or nothing."""
    if request.mimetype != "text/csv":
        raise UnsupportedMediaType("Send the response file as text/csv.")
    content = request.get_data()

    def apply(work: UnitOfWork, _key: str) -> Did:
        pulls.get(number)
        text = response_reading.text_of(content)
        counts = responses.apply(work, number, text, by=current_actor())
        return 200 if counts.already else 201, shapes.counts(counts), ""

    return _once(apply)


@bp.get("/statements/<int:urn>")
@allow(ledger_read)
def statement(urn: int) -> ResponseReturnValue:
    """What one school was charged and what it owes."""
    return shapes.statement(statements.whole(urn, by=current_actor()))


def _once(act: Callable[[UnitOfWork, str], Did]) -> Response:
    """Do what a POST asks, once for its Idempotency-Key; the same request again gets the same
    answer. Raises BadRequest without a key, KeyReused for another request under a key."""
    key = request.headers.get("Idempotency-Key", "")
    if not KEY.fullmatch(key):
        raise BadRequest("Send an Idempotency-Key of 1 to 200 visible ASCII characters.")
    wanted = api_calls.fingerprint(request.path.encode(), request.get_data())
    by = current_actor()
    with unit_of_work() as work:
        answer = api_calls.earlier(work, key, wanted, by=by)
        repeated = answer is not None
        if answer is None:
            status, body, location = act(work, key)
            text = json.dumps(body, ensure_ascii=False)
            answer = api_calls.keep(work, key, wanted, status, text, location, by=by)
        response = Response(answer.body, answer.status, mimetype="application/json")
        if answer.location:
            response.headers["Location"] = answer.location
    if repeated:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _number(name: str, otherwise: int, least: int, most: int) -> int:
    """A number in the address. Raises BadRequest for what is none, or out of bounds."""
    given = request.args.getlist(name)
    if not given:
        return otherwise
    good = len(given) == 1 and re.fullmatch(r"\d{1,19}", given[0], re.ASCII)
    if not good or not least <= int(given[0]) <= most:
        raise BadRequest(f"{name} must be a whole number from {least} to {most}.")
    return int(given[0])


def _cutoff() -> date | None:
    """The day in the body of a request to pull; None when there is no body, or none in it."""
    if not request.get_data():
        return None
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send application/json, or nothing.")
    content = request.get_json()
    if not isinstance(content, dict) or content.keys() - {"cutoff"}:
        raise BadRequest("Send an object with nothing but a cutoff.")
    given = content.get("cutoff")
    if given is None:
        return None
    try:
        if not isinstance(given, str) or not DAY.fullmatch(given):
            raise ValueError
        return date.fromisoformat(given)
    except ValueError as error:
        raise BadRequest("cutoff must be a day such as 2019-05-31.") from error


@bp.route("/", defaults={"filename": ""}, methods=METHODS, provide_automatic_options=False)
@bp.route("/<path:filename>", methods=METHODS, provide_automatic_options=False)
@allow(any_system)
def absent(filename: str) -> ResponseReturnValue:
    """Whatever is not there, or is not used that way: 404, or 405 with what it is used by."""
    del filename  # whatever it is, it is not there
    allowed = _allowed()
    if allowed:
        raise MethodNotAllowed(sorted(allowed), "This cannot be done here.")
    raise NotFound("There is nothing here by that name.")


def _allowed() -> set[str]:
    """The methods by which the address of this request is used, if it is an address of ours."""
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None
    found: set[str] = set()
    for method in ("GET", "POST"):
        rule, _ = adapter.match(method=method, return_rule=True)
        if rule.endpoint != f"{NAME}.absent":
            found |= {"GET", "HEAD"} if method == "GET" else {method}
    return found
