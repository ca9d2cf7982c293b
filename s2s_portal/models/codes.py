"""What can be said of a referral: its statuses, kinds, actions and reasons, with their codes."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a referral stands: derived from its events, stored for lists."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    DECLINED = "declined"
    ACCEPTED = "accepted"
    ALLOCATED = "allocated"
    CLOSED = "closed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    WAITING = "waiting"
    ADVISED = "advised"
    REDIRECTED = "redirected"
    UNANSWERED = "unanswered"


# Never sent to the council, so no business of anybody but the school.
UNSENT = frozenset({Status.DRAFT, Status.EXPIRED})


class Kind(StrEnum):
    """What the referral is for: what it asks depends on it (`services.form_versions`)."""

    PUPIL = "pupil"
    GROUP = "group"
    WHOLE = "whole"
    TRAINING = "training"


class Support(StrEnum):
    """Kinds of support a school can ask for (MI Sheet 44/19; domain.md 1.2)."""

    ADVICE = "ADV"
    OBSERVATION = "OBS"
    MODELLING = "MOD"
    TRAINING = "TRN"
    RESOURCES = "RES"
    PLAN_REVIEW = "PLN"
    SIGNPOSTING = "SGN"
    REVERSE_VISIT = "RVS"


class Action(StrEnum):
    """What can happen to a referral."""

    STARTED = "started"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    RESUBMITTED = "resubmitted"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    ALLOCATED = "allocated"
    VISIT_BOOKED = "visit_booked"
    RECORD_ISSUED = "record_issued"
    RECORD_ACKNOWLEDGED = "record_acknowledged"
    ADDENDUM_WRITTEN = "addendum_written"
    OUTCOMES_RECORDED = "outcomes_recorded"
    CLOSED = "closed"
    REOPENED = "reopened"
    EXPIRED = "expired"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"
    AGREEMENT_WITHDRAWN = "agreement_withdrawn"
    ASSIGNED = "assigned"
    WAITING_LISTED = "waiting_listed"
    ADVISED = "advised"
    REDIRECTED = "redirected"
    UNANSWERED = "unanswered"
    RETURN_REOPENED = "return_reopened"
    HELD = "held"
    RELEASED = "released"
    DECISION_UNDONE = "decision_undone"
    OFFERED = "offered"
    OFFER_ACCEPTED = "offer_accepted"
    OFFER_RELEASED = "offer_released"
    OFFER_DECLINED = "offer_declined"
    OFFER_WITHDRAWN = "offer_withdrawn"
    OFFER_LAPSED = "offer_lapsed"
    TAKING_ASKED = "taking_asked"
    TAKING_REFUSED = "taking_refused"
    REALLOCATED = "reallocated"
    TAKEN_BACK = "taken_back"
    SUPPORT_ADDED = "support_added"
    SUPPORT_ENDED = "support_ended"
    HANDED_OVER = "handed_over"
    PANEL_LISTED = "panel_listed"
    PANEL_REMOVED = "panel_removed"


# How a practitioner is found stays inside the service: a school reads who it is in the end.
INSIDE = frozenset(
    {
        Action.OFFERED,
        Action.OFFER_ACCEPTED,
        Action.OFFER_RELEASED,
        Action.OFFER_DECLINED,
        Action.OFFER_WITHDRAWN,
        Action.OFFER_LAPSED,
        Action.TAKING_ASKED,
        Action.TAKING_REFUSED,
    }
)


# The status that an event leaves behind; an action that is not here changes none.
STATUS_AFTER: dict[Action, Status] = {
    Action.STARTED: Status.DRAFT,
    Action.SUBMITTED: Status.SUBMITTED,
    Action.RETURNED: Status.RETURNED,
    Action.RESUBMITTED: Status.SUBMITTED,
    Action.ACCEPTED: Status.ACCEPTED,
    Action.DECLINED: Status.DECLINED,
    Action.ALLOCATED: Status.ALLOCATED,
    Action.CLOSED: Status.CLOSED,
    Action.REOPENED: Status.ALLOCATED,
    Action.EXPIRED: Status.EXPIRED,
    Action.WITHDRAWN: Status.WITHDRAWN,
    Action.AGREEMENT_WITHDRAWN: Status.WITHDRAWN,
    Action.WAITING_LISTED: Status.WAITING,
    Action.ADVISED: Status.ADVISED,
    Action.REDIRECTED: Status.REDIRECTED,
    Action.UNANSWERED: Status.UNANSWERED,
    Action.RETURN_REOPENED: Status.RETURNED,
    Action.DECISION_UNDONE: Status.SUBMITTED,
    Action.REALLOCATED: Status.ALLOCATED,
    Action.TAKEN_BACK: Status.ACCEPTED,
}


class Way(StrEnum):
    """What an officer can decide, each with reasons of its own (domain.md 2.3, F23-F25)."""

    ACCEPT = "accept"
    WAIT = "wait"
    ADVISE = "advise"
    REDIRECT = "redirect"
    DECLINE = "decline"
    RETURN = "return"
    HOLD = "hold"


# What an officer's decision is written down as.
ACTION_OF: dict[Way, Action] = {
    Way.ACCEPT: Action.ACCEPTED,
    Way.WAIT: Action.WAITING_LISTED,
    Way.ADVISE: Action.ADVISED,
    Way.REDIRECT: Action.REDIRECTED,
    Way.DECLINE: Action.DECLINED,
    Way.RETURN: Action.RETURNED,
    Way.HOLD: Action.HELD,
}


class Checked(StrEnum):
    """How one point of the checklist was met before a referral was accepted (F27)."""

    PROVEN = "proven"
    CHECKED = "checked"
    OVERRIDDEN = "overridden"


# Only in these can a referral have been given to somebody, and only then has it visits.
GIVEN = frozenset({Status.ALLOCATED, Status.CLOSED, Status.WITHDRAWN})


# Sent, and not at its end: its school can amend it, with a reason.
UNDER_WAY = frozenset({Status.SUBMITTED, Status.WAITING, Status.ACCEPTED, Status.ALLOCATED})

# Waits for a decision: for the first one, or on the waiting list for the next.
UNDECIDED = frozenset({Status.SUBMITTED, Status.WAITING})

# Decided without support from this service: nothing is charged, and its place is free again.
TURNED_AWAY = frozenset({Status.DECLINED, Status.ADVISED, Status.REDIRECTED, Status.UNANSWERED})


class Closure(StrEnum):
    """Why a referral was closed (domain.md 2.3)."""

    OUTCOMES_MET = "OUTCOMES_MET"
    PARTLY_MET = "PARTLY_MET"
    NOT_MET = "NOT_MET_ESCALATE"
    MOVED_SCHOOL = "MOVED_SCHOOL"
    LEFT_COUNTY = "LEFT_COUNTY"
    WITHDRAWN_PARENT = "WITHDRAWN_PARENT"
    WITHDRAWN_SCHOOL = "WITHDRAWN_SCHOOL"
    NO_ENGAGEMENT = "NO_ENGAGEMENT"


class Withdrawal(StrEnum):
    """Why a school, or the parent, took a referral back (domain.md 2.3)."""

    MOVED_SCHOOL = "MOVED_SCHOOL"
    LEFT_COUNTY = "LEFT_COUNTY"
    OTHER_SUPPORT = "OTHER_SUPPORT"
    NO_LONGER_NEEDED = "NO_LONGER_NEEDED"
    AGREEMENT = "WITHDRAWN_PARENT"
    MISTAKE = "SENT_BY_MISTAKE"
    OTHER = "WITHDRAWN_SCHOOL"


class Achieved(StrEnum):
    """How far an outcome was reached (F65)."""

    YES = "achieved"
    PARTLY = "partly"
    NO = "not"
