"""Every `S2S_*` setting: its default, its type, what it means.

`SETTINGS` is the one place; the README's table and the doctor are made from it. A host sets them in
its own Flask config; `init_app` fills the rest in with `setdefault`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """One configuration key."""

    name: str
    default: Any
    kind: type
    meaning: str


SETTINGS: tuple[Setting, ...] = (
    Setting("S2S_URL_PREFIX", "/s2s", str, "Where the service is mounted."),
    Setting(
        "S2S_BIND_KEY",
        None,
        str,
        "The Flask-SQLAlchemy bind that is PostgreSQL; empty means the host's own database.",
    ),
    Setting(
        "S2S_BASE_TEMPLATE",
        "s2s/base.html",
        str,
        "The host's template that `s2s/layout.html` extends; the default is our own plain one.",
    ),
    Setting(
        "S2S_BASE_HAS_MAIN",
        False,
        bool,
        "Whether the host's base template puts a `<main>` of its own around our pages.",
    ),
    Setting(
        "S2S_SERVICE_NAME", "School to School Support", str, "The name at the top of our pages."
    ),
    Setting("S2S_COUNCIL_NAME", "Norfolk County Council", str, "Who runs the service."),
    Setting(
        "S2S_CONTACT",
        "the SEND programme team",
        str,
        "Whom people are told to ask when something is wrong.",
    ),
    Setting(
        "S2S_LOCAL_AUTHORITY",
        926,
        int,
        "The three-figure number of the authority whose schools may refer (Norfolk is 926).",
    ),
    Setting(
        "S2S_SAFEGUARDING_URL",
        "https://www.norfolk.gov.uk/safeguarding",
        str,
        "Where worries about a child's safety go; never into a referral.",
    ),
    Setting(
        "S2S_EARLY_YEARS_CONTACT",
        "the council’s Early Years service",
        str,
        "Whom early years settings ask for this support.",
    ),
    Setting(
        "S2S_DRAFT_DAYS",
        90,
        int,
        "A draft that nobody saves for so many days is deleted; a mail says so a week before.",
    ),
    Setting(
        "S2S_ANSWER_SCHOOL_DAYS",
        20,
        int,
        "How many of its own school days a school has to answer what an officer asks; a mail"
        " reminds it 5 school days before, and then the referral is closed as not answered.",
    ),
    Setting(
        "S2S_OFFER_WORKING_DAYS",
        3,
        int,
        "How many working days a practitioner has to answer an offer; a mail reminds them one"
        " working day before, and then it lapses.",
    ),
    Setting(
        "S2S_MATCH_KEY",
        None,
        str,
        "A secret, 32 characters or more, for this alone: by it referrals about the same pupil or"
        " class find each other. Empty means that repeats are not looked for.",
    ),
    Setting(
        "S2S_REPEAT_MONTHS",
        12,
        int,
        "A referral about the same pupil or class is a repeat if the earlier one is under way, or"
        " ended within so many months.",
    ),
    Setting(
        "S2S_HEAD_AGREES",
        False,
        bool,
        "Whether a head must agree to the referral and its fee before it can be sent;"
        " `Role.HEAD` says who is one.",
    ),
    Setting(
        "S2S_SIGN_IN_URL",
        "/sign-in",
        str,
        "Where an unsigned visitor is sent when the host's LoginManager names no login view; a path"
        " is one of the host's app.",
    ),
    Setting(
        "S2S_IDLE_MINUTES",
        60,
        int,
        "Signed out after so many minutes without a page; 0 leaves it to the host.",
    ),
    Setting(
        "S2S_SIGN_ON_HOURS",
        12,
        int,
        "Signed out so many hours after signing in, used or not; 0 leaves it to the host.",
    ),
    Setting(
        "S2S_MAIL_SENDER",
        None,
        str,
        "From whom our mail comes; empty means the host's MAIL_DEFAULT_SENDER.",
    ),
    Setting(
        "S2S_OFFICER_MAILBOX",
        None,
        str,
        "A shared mailbox that is told of each referral to decide or to close, and of messages;"
        " empty means none.",
    ),
    Setting(
        "S2S_DAILY_LIST",
        True,
        bool,
        "Whether that mailbox, and each officer who asks, gets one mail each working day with what"
        " is due and overdue.",
    ),
    Setting(
        "S2S_EXTERNAL_URL",
        None,
        str,
        "The address of the portal as people see it, for links in mail: `https://portal.example`.",
    ),
    Setting(
        "S2S_PRIVACY_NOTICE_VERSION",
        "2019-04",
        str,
        "The version of the privacy notice that parents are given; frozen onto each agreement.",
    ),
    Setting(
        "S2S_OWN_BANK_ACCOUNT_URNS",
        (),
        tuple,
        "URNs of maintained schools with their own bank account: invoiced, not charged internally.",
    ),
    Setting("S2S_VAT_CODE_INTERNAL", "OS", str, "VAT code frozen on an internal charge."),
    Setting("S2S_VAT_CODE_INVOICE", "S", str, "VAT code frozen on an invoice."),
    Setting(
        "S2S_CLAMD",
        None,
        str,
        "Where clamd listens: the path of its socket, or `host:port`. Empty means that no files"
        " can be attached.",
    ),
    Setting(
        "S2S_CLAMD_TIMEOUT", 30, int, "How many seconds clamd may take to answer about a file."
    ),
    Setting(
        "S2S_STORAGE_FOLDER",
        None,
        str,
        "The folder that keeps attached files; empty means `s2s-files` in the app's instance"
        " folder.",
    ),
    Setting(
        "S2S_STORAGE_BUCKET",
        None,
        str,
        "Keeps attached files in an S3-compatible store instead: `s3://bucket/prefix`. Needs the"
        " extra `s3`.",
    ),
    Setting(
        "S2S_STORAGE_ENDPOINT",
        None,
        str,
        "The address of the S3-compatible store; empty means Amazon's own.",
    ),
    Setting("S2S_FILE_LARGEST_MB", 10, int, "How large one attached file may be, in MB."),
    Setting("S2S_FILES_MOST", 10, int, "How many files a referral may have."),
    Setting("S2S_FILES_A_DAY", 50, int, "How many files one person may attach in 24 hours."),
    Setting("S2S_PAGE_SIZE", 25, int, "Rows on one page of a list."),
    Setting(
        "S2S_STATEMENT_TIMEOUT_MS",
        5000,
        int,
        "How long one database statement of a page may take, in milliseconds.",
    ),
    Setting(
        "S2S_ENTRA_TENANT",
        None,
        str,
        "`EntraClaims`: the directory (tenant) id of the council; without it nobody comes in.",
    ),
    Setting(
        "S2S_ENTRA_ROLE_PREFIX",
        "S2S.",
        str,
        "`EntraClaims`: what the app roles of this service begin with.",
    ),
    Setting(
        "S2S_ENTRA_ROLES",
        {
            "Officer": "send_officer",
            "Finance": "finance",
            "FinanceApprover": "finance_approver",
            "Manager": "manager",
            "Auditor": "auditor",
            "Admin": "administrator",
        },
        dict,
        "`EntraClaims`: the rest of an app role, and the role it stands for here.",
    ),
    Setting(
        "S2S_ENTRA_GUESTS",
        False,
        bool,
        "`EntraClaims`: whether guest accounts of the directory may come in.",
    ),
    Setting(
        "S2S_DFE_ROLES",
        {
            "S2S_SENCO": "school_referrer",
            "S2S_HEAD": "school_head",
            "S2S_PRACTITIONER": "practitioner",
            "S2S_LEAD": "provider_lead",
        },
        dict,
        "`DfESignInClaims`: a role code of the service at DfE Sign-in, and the role it stands for.",
    ),
    Setting(
        "S2S_DFE_API_URL",
        "https://api.signin.education.gov.uk",
        str,
        "`DfESignInClaims`: the public API of DfE Sign-in, which is asked for role codes.",
    ),
    Setting(
        "S2S_DFE_API_SECRET",
        None,
        str,
        "`DfESignInClaims`: the API secret (not the client secret) that signs our questions.",
    ),
    Setting(
        "S2S_DFE_CLIENT_ID", None, str, "`DfESignInClaims`: the client id of this portal there."
    ),
    Setting(
        "S2S_DFE_SERVICE_ID", None, str, "`DfESignInClaims`: the id of this portal's service there."
    ),
    Setting(
        "S2S_DFE_API_TIMEOUT",
        3,
        float,
        "`DfESignInClaims`: how long we wait for that API, in seconds.",
    ),
    Setting(
        "S2S_DFE_ROLES_CACHE_SECONDS",
        60,
        int,
        "`DfESignInClaims`: how long role codes are used without asking again, in seconds; a role"
        " taken away there ends here within it.",
    ),
    Setting(
        "S2S_DFE_ROLES_STALE_SECONDS",
        3600,
        int,
        "`DfESignInClaims`: how long they are used while the API is away, in seconds; then the"
        " person is refused.",
    ),
)


def fill_in(config: Any) -> None:
    """Give `config` (a Flask config) the default of every key that the host has not set."""
    for setting in SETTINGS:
        config.setdefault(setting.name, setting.default)
