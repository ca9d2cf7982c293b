"""Why somebody could not be signed on, in a sentence for them and a word for the log.

The word never says who. Whatever a provider sends, one of these comes of it and never an error
page of the framework.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client import MismatchingStateError
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    DecodeError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)

AGAIN = "Go back to the sign-in page and start again."
TELL = "Tell whoever looks after this portal, and quote the code below."

# code: (HTTP status, what is wrong, what to do)
SENTENCES: dict[str, tuple[int, str, str]] = {
    "unreachable": (
        503,
        "We cannot reach {name} at the moment, so nobody can sign in with it.",
        "This is not a problem with your account. Try again in a few minutes.",
    ),
    "slow": (
        503,
        "{Name} is taking too long to answer, so nobody can sign in with it at the moment.",
        "This is not a problem with your account. Try again in a few minutes.",
    ),
    "unwell": (
        503,
        "{Name} answered that it has a problem of its own.",
        "This is not a problem with your account. Try again in a few minutes.",
    ),
    "certificate": (502, "{Name} could not prove that it is what it says it is.", TELL),
    "discovery": (502, "{Name} does not describe itself as this portal was told it would.", TELL),
    "answer": (502, "We could not make sense of the answer from {name}.", TELL),
    "client": (
        502,
        "{Name} does not know this portal, or does not accept its secret.",
        "Nobody can sign in with it until that is mended. Tell whoever looks after this portal.",
    ),
    "key": (502, "The answer was not signed with a key of {name}, so we cannot trust it.", TELL),
    "algorithm": (502, "The answer was signed in a way that this portal does not accept.", TELL),
    "issuer": (502, "The answer did not come from {name}.", TELL),
    "audience": (502, "The answer from {name} was meant for another service.", TELL),
    "nonce": (502, "The answer from {name} does not belong to this sign-in.", TELL),
    "people": (502, "{Name} gave us the details of two different people.", TELL),
    "incomplete": (502, "Something is missing from the answer from {name}.", TELL),
    "expired": (
        502,
        "The answer from {name} had run out before it reached us.",
        "Start again. If this happens each time, its clock and the clock of this portal differ too"
        " much: tell whoever looks after this portal.",
    ),
    "clock": (
        502,
        "The clock of {name} is ahead of the clock of this portal, so we cannot tell whether its"
        " answer is a new one.",
        "Tell whoever looks after this portal that the clocks differ by more than a minute.",
    ),
    "state": (
        400,
        "This sign-in was not started in this browser, took too long, or was finished already.",
        AGAIN,
    ),
    "code": (400, "{Name} no longer accepts this sign-in: it was used already or ran out.", AGAIN),
    "denied": (400, "You did not finish signing in with {name}.", AGAIN),
}

_CLAIMS = {
    "iss": "issuer",
    "aud": "audience",
    "azp": "audience",
    "nonce": "nonce",
    "iat": "clock",
    "nbf": "clock",
}
_ANSWERS = {
    "access_denied": "denied",
    "interaction_required": "denied",
    "login_required": "denied",
    "consent_required": "denied",
    "invalid_grant": "code",
    "invalid_client": "client",
    "unauthorized_client": "client",
    "invalid_redirect_uri": "client",
    "server_error": "unwell",
    "temporarily_unavailable": "unwell",
}


class SignOnFailed(Exception):
    """Nobody was signed on; `code` is a key of `SENTENCES`, `name` the provider's."""

    def __init__(self, code: str, name: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.status, problem, self.advice = SENTENCES[code]
        self.problem = problem.format(name=name, Name=name[:1].upper() + name[1:])


@contextmanager
def told_plainly(name: str) -> Iterator[None]:
    """Turn whatever goes wrong with the provider called `name` into SignOnFailed."""
    try:
        yield
    except SignOnFailed:
        raise
    except requests.RequestException as error:
        raise SignOnFailed(_network(error), name, type(error).__name__) from error
    except MismatchingStateError as error:
        raise SignOnFailed("state", name) from error
    except AuthlibBaseError as error:
        raise SignOnFailed(_ANSWERS.get(str(error.error), "answer"), name) from error
    except JoseError as error:
        raise SignOnFailed(_token(error), name, type(error).__name__) from error
    # What a lying answer can make of code that trusts its shape.
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise SignOnFailed("answer", name, type(error).__name__) from error


def _network(error: requests.RequestException) -> str:
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (requests.exceptions.SSLError, "certificate"),
        (requests.Timeout, "slow"),
        (requests.ConnectionError, "unreachable"),
        (requests.HTTPError, "unwell"),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), "answer")


def _token(error: JoseError) -> str:
    if isinstance(error, ExpiredTokenError):
        return "expired"
    if isinstance(error, MissingClaimError):
        return "nonce" if error.claim == "nonce" else "incomplete"
    if isinstance(error, ClaimError):
        return _CLAIMS.get(error.claim, "answer")
    if isinstance(error, UnsupportedAlgorithmError):
        return "algorithm"
    if isinstance(error, DecodeError):
        return "answer"
    return "key" if isinstance(error, BadSignatureError | InvalidKeyIdError) else "answer"
