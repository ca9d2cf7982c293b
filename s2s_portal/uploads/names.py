"""Names of files: what the one that comes must be like, and the one that a file is given.

The name that a file came with is looked at and dropped; it is stored under a name we made up, and
leaves under a name made from its label.
"""

from __future__ import annotations

import re
import unicodedata

from s2s_portal.uploads.formats import FORMATS, LISTED, Unacceptable

LONGEST = 255  # what file systems take
LONGEST_LABEL = 80  # of a label within a name, so that the whole fits anywhere
RENAME = "Rename it with plain letters and numbers and one ending, such as plan.pdf, and try again"

# Unicode: control, formatting (it turns text round), surrogates, private use, separators of lines.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
PATHS = re.compile(r"[\\/]")
UNSAFE = re.compile(r'[\\/:*?"<>|]')  # in a name that is to be saved anywhere
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
# In the middle of a name these make a program or a page look like a document.
DISGUISES = re.compile(
    r"\.(aspx?|bat|chm|cmd|com|cpl|docm|dotm|exe|hta|html?|iso|jar|jse?|lnk|mht|msi|php|pif|ps1"
    r"|reg|scr|sh|svg|vb[es]|wsf|xhtml|xlam|xls[bm]|xml|zip)(\.|$)"
)


def extension_of(name: str) -> str:
    """The extension of a file that is called `name`, in small letters.

    Raises Unacceptable for a kind that is not taken, and for a name that hides what it is.
    """
    if len(name) > LONGEST or _hides(name):
        raise Unacceptable(f"The name of this file cannot be used. {RENAME}")
    stem, _, extension = name.casefold().rpartition(".")
    if not stem or extension not in FORMATS:
        raise Unacceptable(f"Choose a {LISTED} file. For another kind, save it as a PDF first")
    if DISGUISES.search(stem):
        raise Unacceptable(f"The name of this file has two endings. {RENAME}")
    return extension


def _hides(name: str) -> bool:
    return bool(
        PATHS.search(name)
        or RESERVED.fullmatch(name.strip())
        or any(unicodedata.category(letter) in HIDDEN for letter in name)
    )


def download_name(reference: str, kind: str, label: str, extension: str) -> str:
    """The name a file leaves under: `S2S-26-7K4P Risk assessment - Playground.pdf`."""
    plain = "".join(
        letter for letter in label if unicodedata.category(letter) not in HIDDEN
    ).strip()
    plain = " ".join(UNSAFE.sub(" ", plain).split())[:LONGEST_LABEL].rstrip(" .")
    return f"{reference} {kind} - {plain or 'file'}.{extension}"
