"""What can go wrong, in the service's own words.

Services raise these; `mount` turns them into pages. `status` is the HTTP status of that page and
`str(error)` the sentence that a person reads.
"""

from __future__ import annotations


class S2SError(Exception):
    """Anything this service refuses or cannot do."""

    status = 500


class NotMounted(S2SError):
    """The host lacks something the plugin needs; the sentence says which line to add."""


class NotFound(S2SError):
    """There is no such thing, or it is not yours: the two must look the same."""

    status = 404

    def __init__(self, message: str = "There is nothing here that you can see.") -> None:
        super().__init__(message)


class NotAllowed(S2SError):
    """Your role does not do this."""

    status = 403

    def __init__(self, message: str = "Your account does not have access to this page.") -> None:
        super().__init__(message)


class SignedOut(S2SError):
    """Nobody is signed on, or no longer; the sentence says why."""

    status = 401

    def __init__(
        self, message: str = "Perhaps you signed out in another tab, or were away for too long."
    ) -> None:
        super().__init__(message)


class IdentityFailed(S2SError):
    """The host's adapter could not say who somebody is; the log says why."""

    def __init__(self) -> None:
        super().__init__(
            "We could not read your account, so we cannot show you this page. Nothing has been"
            " changed. Try again in a few minutes."
        )


class Refused(S2SError):
    """A rule says no. `field` names the form field it belongs to, if there is one."""

    status = 422

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Incomplete(Refused):
    """The referral cannot be sent yet; `sections` lists the keys of what is missing."""

    def __init__(self, sections: list[str]) -> None:
        super().__init__("Complete every section before you send the referral.")
        self.sections = sections


class RepeatFound(Incomplete):
    """The school has sent another referral about the same, and has not said why it asks again."""

    def __init__(self) -> None:
        super().__init__(["repeat"])


class ConsentMissing(Refused):
    """A named pupil's referral without the agreement of a parent or carer."""


class HeadMustAgree(Refused):
    """The head has not agreed to the draft as it is now, and the council asks for that."""


class MayNotRefer(Refused):
    """This establishment is special, closed, or not in Norfolk, so it cannot make a referral."""


class IntakeClosed(MayNotRefer):
    """No request is taken now: no intake window is open, or all that it allows are used."""


class OutOfOrder(Refused):
    """The thing is no longer in a state in which this can be done."""

    status = 409


class AlreadyDecided(OutOfOrder):
    """Somebody else decided first."""


class AlreadyAllocated(OutOfOrder):
    """Somebody else allocated first."""


class Stale(OutOfOrder):
    """The page was drawn before somebody else changed what it shows."""


class RecordIssued(OutOfOrder):
    """An issued visit record never changes; write an addendum."""


class NoTerms(Refused):
    """No service terms cover the date of receipt, so no fee can be stated."""


class FileRefused(Refused):
    """A file that cannot be attached; the sentence says why, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "file")


class NotScanned(OutOfOrder):
    """Nobody gets a file before the virus scanner has found nothing in it."""


class StorageAway(S2SError):
    """Where files are kept cannot be reached, or has not what it should have."""

    status = 503

    def __init__(
        self,
        message: str = "We cannot reach our files at the moment. Nothing has been changed."
        " Try again in a few minutes.",
    ) -> None:
        super().__init__(message)


class PartlyDone(S2SError):
    """The database went away while one thing after another was done; the sentence says which."""

    status = 503


class LedgerBroken(S2SError):
    """The ledger does not verify; `problems` says where."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The ledger does not verify: " + "; ".join(problems))
        self.problems = problems


class SignOnRefused(S2SError):
    """An account that a provider vouches for cannot be let in; the sentence says whom to ask.

    `code` is a short stable word for the log; it never holds anything about the person. `status` is
    503 where nothing is wrong with the account and trying again may do.
    """

    status = 403

    def __init__(self, message: str, code: str, *, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
