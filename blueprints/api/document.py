"""The API in OpenAPI 3.1, kept by hand: what is promised is decided here, not read off the code.

Tests hold it to OpenAPI's own rules, to the routes there are, and (schemathesis) to what the views
really take and answer.
"""

from __future__ import annotations

from typing import Any

INT64, INT32 = 2**63 - 1, 2**31 - 1
Schema = dict[str, Any]


def whole(address: str) -> Schema:
    """The document of the API at `address`, the path that all of its paths are below."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "School to School Support: fee ledger",
            "version": "1",
            "description": (
                "What Finance's own systems need: entries of the fee ledger by cursor, pulls with"
                " their files, response files, statements of schools. Nothing in it is about a"
                " child. Amounts are whole pence. Every error is a problem (RFC 9457)."
            ),
        },
        "servers": [{"url": address}],
        "security": [{"token": ["ledger.read"]}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": (
                        "OAuth 2.0 client credentials of the council's identity provider, with the"
                        " scopes ledger.read (everything that is read) and ledger.pull (making"
                        " pulls, applying response files)."
                    ),
                }
            },
            "schemas": _schemas(),
            "responses": _errors(),
            "parameters": _parameters(),
        },
    }


def _paths() -> Schema:
    return {
        "/openapi.json": {
            "get": {
                "summary": "This document",
                "operationId": "openapi",
                "security": [],
                "responses": {"200": _json("The document", {"type": "object"}), "400": _error(400)},
            }
        },
        "/entries": {
            "get": _read(
                "entries",
                "Entries after a cursor, oldest first",
                "Entries",
                _query("after", "The last entry that you have", 0, INT64, 0),
                _query("limit", "How many at most", 1, 500, 100),
            )
        },
        "/pulls": {
            "get": _read(
                "all_pulls",
                "Pulls, newest first",
                "Pulls",
                _query("before", "Only pulls below this number", 1, INT32, INT32),
                _query("limit", "How many at most", 1, 100, 25),
            ),
            "post": _write(
                "make_pull",
                "Pull all that is due",
                "Everything due is taken into the next numbered pull, once. 409 says that nothing"
                " is due.",
                {"application/json": {"schema": _ref("Cutoff")}},
                {"201": _json("The pull that was made", _ref("PullWithFiles"), _replayed(True))},
                refuses=(409, 413, 415),
                body_needed=False,
            ),
        },
        "/pulls/{number}": {
            "parameters": [{"$ref": "#/components/parameters/number"}],
            "get": _read("pull", "One pull and its files", "PullWithFiles", refuses=(404,)),
        },
        "/pulls/{number}/files/{name}": {
            "parameters": [
                {"$ref": "#/components/parameters/number"},
                {"$ref": "#/components/parameters/name"},
            ],
            "get": _file(),
        },
        "/pulls/{number}/responses": {
            "parameters": [{"$ref": "#/components/parameters/number"}],
            "post": _write(
                "respond",
                "Apply a response file",
                "Every row is judged first: if one is wrong, nothing is applied, and `rows` of the"
                " problem says which.",
                {"text/csv": {"schema": {"type": "string"}}},
                {
                    "200": _json(
                        "This file had been applied already", _ref("Applied"), _replayed(False)
                    ),
                    "201": _json("It has been applied", _ref("Applied"), _replayed(False)),
                },
                refuses=(404, 409, 413, 415, 422),
                body_needed=True,
            ),
        },
        "/statements/{urn}": {
            "parameters": [{"$ref": "#/components/parameters/urn"}],
            "get": _read(
                "statement", "What one school was charged and owes", "Statement", refuses=(404,)
            ),
        },
    }


def _file() -> Schema:
    types = (
        "text/csv",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "text/plain",
    )
    content: Schema = {name: {"schema": {"type": "string"}} for name in types}
    content["application/json"] = {"schema": {"type": "object"}}
    return {
        "summary": "A file of a pull, the same bytes each time",
        "description": "Each download is written down; a repeat is called a copy.",
        "operationId": "file",
        "responses": {
            "200": {
                "description": "The file",
                "headers": {
                    "S2S-Copy": {
                        "description": "Which download of this file it is, by whom and when",
                        "schema": {"type": "string"},
                    }
                },
                "content": content,
            },
            **{str(code): _error(code) for code in (400, 401, 403, 404, 409, 429, 500, 503)},
        },
    }


def _read(name: str, summary: str, schema: str, *parameters: Schema, refuses: Any = ()) -> Schema:
    return {
        "summary": summary,
        "operationId": name,
        "parameters": list(parameters),
        "responses": {
            "200": _json(summary, _ref(schema)),
            **{str(code): _error(code) for code in (400, *refuses, 401, 403, 429, 500, 503)},
        },
    }


def _write(
    name: str,
    summary: str,
    description: str,
    content: Schema,
    answers: Schema,
    *,
    refuses: Any,
    body_needed: bool,
) -> Schema:
    return {
        "summary": summary,
        "description": description,
        "operationId": name,
        "security": [{"token": ["ledger.pull"]}],
        "parameters": [{"$ref": "#/components/parameters/key"}],
        "requestBody": {"required": body_needed, "content": content},
        "responses": {
            **answers,
            **{str(code): _error(code) for code in (400, *refuses, 401, 403, 429, 500, 503)},
        },
    }


def _json(description: str, schema: Schema, headers: Schema | None = None) -> Schema:
    return {
        "description": description,
        **({"headers": headers} if headers else {}),
        "content": {"application/json": {"schema": schema}},
    }


def _replayed(located: bool) -> Schema:
    found = {
        "Idempotent-Replayed": {
            "description": "`true` when this key was used before for the same request",
            "schema": {"type": "string", "enum": ["true"]},
        }
    }
    if located:
        found["Location"] = {"description": "Where it is", "schema": {"type": "string"}}
    return found


def _query(name: str, description: str, least: int, most: int, default: int) -> Schema:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": "integer", "minimum": least, "maximum": most, "default": default},
    }


def _parameters() -> Schema:
    return {
        "number": {
            "name": "number",
            "in": "path",
            "required": True,
            "description": "The number of a pull",
            "schema": {"type": "integer", "minimum": 1, "maximum": INT32},
        },
        "name": {
            "name": "name",
            "in": "path",
            "required": True,
            "description": "The name of a file, as the pull lists it",
            "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{0,79}$"},
        },
        "urn": {
            "name": "urn",
            "in": "path",
            "required": True,
            "description": "The URN of a school",
            "schema": {"type": "integer", "minimum": 1, "maximum": INT32},
        },
        "key": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": True,
            "description": (
                "Your own key for this request. Sent again with the same request it gets the same"
                " answer and does nothing more; with another request it is refused."
            ),
            "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
        },
    }


def _error(code: int) -> Schema:
    return {"$ref": f"#/components/responses/{code}"}


def _errors() -> Schema:
    words = {
        400: "The request is not as it should be",
        401: "There is no token, or it is not good",
        403: "The token does not have the scope",
        404: "There is nothing by that name",
        409: "It cannot be done now",
        413: "It is too big",
        415: "It is not of a kind that is taken",
        422: "It is refused, and why",
        429: "Too many requests in one minute",
        500: "Something has gone wrong",
        503: "We cannot reach our records, or the keys of tokens",
    }
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {str(code): {"description": says, "content": content} for code, says in words.items()}


def _schemas() -> Schema:
    text: Schema = {"type": "string"}
    number: Schema = {"type": "integer"}
    perhaps: Schema = {"type": ["integer", "null"]}
    digest: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    day: Schema = {"type": "string", "format": "date"}
    instant: Schema = {"type": "string", "format": "date-time"}
    entry = {
        **dict.fromkeys(("number", "period", "urn", "amount_pence"), number),
        **dict.fromkeys(("kind", "financial_year", "dfe_number", "school_name"), text),
        **dict.fromkeys(("payer_name", "purchase_order", "source_reference", "vat_code"), text),
        **dict.fromkeys(("terms", "verdict", "finance_reference", "reason"), text),
        **dict.fromkeys(("settles_entry", "reverses_entry", "pull_number"), perhaps),
        "route": {"type": "string", "enum": ["INTERNAL", "INVOICE"]},
        "event_date": day,
        "recorded_at": instant,
        "digest": digest,
    }
    pull = {
        **dict.fromkeys(("number", "first_entry", "last_entry", "entry_count"), number),
        **dict.fromkeys(("total_pence", "collected", "rejected", "queried"), number),
        **dict.fromkeys(("digest", "previous_digest"), digest),
        **dict.fromkeys(("made_at", "cutoff"), instant),
        "made_by": text,
        "collected_on": {"type": ["string", "null"], "format": "date"},
    }
    file = {"name": text, "sha256": digest, "downloads": number, "href": text}
    line = {
        **dict.fromkeys(("number", "amount_pence", "balance_pence"), number),
        **dict.fromkeys(("kind", "source_reference", "verdict", "standing"), text),
        "event_date": day,
        "pull_number": perhaps,
    }
    return {
        "Entry": _object(entry),
        "Entries": _object({"entries": _list("Entry"), "next": perhaps}),
        "Pull": _object(pull),
        "PullWithFiles": _object(pull | {"files": _list("File")}),
        "Pulls": _object({"pulls": _list("Pull"), "next": perhaps}),
        "File": _object(file),
        "Cutoff": {
            "type": "object",
            "properties": {
                "cutoff": {
                    **day,
                    "pattern": r"^\d{4}-\d{2}-\d{2}$",
                    "description": "Take what was recorded up to the end of this day",
                }
            },
            "additionalProperties": False,
        },
        "Applied": _object(
            {
                **dict.fromkeys(("collected", "collected_pence", "rejected", "queried"), number),
                "already_applied": {"type": "boolean"},
            }
        ),
        "Line": _object(line),
        "Statement": _object(
            {
                **dict.fromkeys(("urn", "balance_pence"), number),
                **dict.fromkeys(("dfe_number", "school_name"), text),
                "entries": _list("Line"),
            }
        ),
        "Problem": {
            **_object({"type": text, "title": text, "status": number, "detail": text}),
            "description": "RFC 9457; `rows` has a sentence for each bad row of a response file.",
        },
    }


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _list(of: str) -> Schema:
    return {"type": "array", "items": _ref(of)}


def _ref(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}
