"""PDFs of visit records: how many a second of one core, and against a bare one (quality.md C8)."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median

from s2s_portal.documents.visit_record import VisitRecordDocument, render
from tests.unit.test_visit_record_document import DISPUTED, FULL, LONGEST, MINIMAL, RECORDS

REPEATS = 7
EACH = 10  # documents of one measurement
AIM = 50  # for each second of one core
RATIO = 1.5
# What fits on one page.
ONE_PAGE = replace(FULL, addenda=(), resources_given="", next_visit="")
# The same template with nothing in it: what the layout, the tags and the fonts cost alone.
BARE = replace(
    MINIMAL,
    **dict.fromkeys(("school_name", "practitioner_name", "provider_name", "kind", "about"), ""),
    started_at=None,
    finished_at=None,
)


def run() -> None:
    """Print how many of each record one core makes in a second, and the ratio to the floor.

    Each is another record than the one before, so that no part of it can be remembered. Processor
    time is counted, of all threads, as other work on the machine would else be measured too.
    """
    records = {"one page": ONE_PAGE, "disputed": DISPUTED, "Urdu": RECORDS["urdu"]}
    print(
        f"\nPDFs of visit records, aim {AIM} a second of one core, {RATIO} times a bare one or less"
    )
    print(f"{'record':12}{'a second':>10}{'ms':>9}{'bare ms':>10}{'ratio':>8}")
    for name, record in records.items():
        mine, theirs = interleaved(record, BARE)
        figures = f"{mine * 1000:9.2f}{theirs * 1000:10.2f}{mine / theirs:8.2f}"
        print(f"{name:12}{1 / mine:10.0f}{figures}")
    began = time.process_time()
    render(LONGEST)
    print(f"{'longest':12}{'':10}{(time.process_time() - began) * 1000:9.2f}")


def made(record: VisitRecordDocument, number: int) -> None:
    """One PDF, of another record than the last."""
    render(replace(record, number=number, reference=f"S2S-26-{number:04}"))


def interleaved(ours: VisitRecordDocument, floor: VisitRecordDocument) -> tuple[float, float]:
    """The median processor time of one document of each, measured in turn."""
    found: dict[VisitRecordDocument, list[float]] = {ours: [], floor: []}
    for record in found:
        made(record, 0)
    for repeat in range(REPEATS):
        for record, times in found.items():
            began = time.process_time()
            for number in range(1 + repeat * EACH, 1 + (repeat + 1) * EACH):
                made(record, number)
            times.append((time.process_time() - began) / EACH)
    return median(found[ours]), median(found[floor])


if __name__ == "__main__":
    run()
