"""Somebody at a browser: signs on, follows links by their words, fills fields by their labels."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.shared import GIAS

TOP = Path(__file__).resolve().parents[2]
AXE = TOP / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 320, "height": 640}
LARGE_TEXT = "--blink-settings=defaultFontSize=32"  # twice what browsers come with
# What has been looked at, by all people of this process: the same title over the same kinds of
# elements, however many of each, is the same page again.
SEEN: set[tuple[object, ...]] = set()
KINDS = """() => [...new Set([...document.body.querySelectorAll('*')].map(
  el => el.tagName + '.' + el.className + [...el.attributes].filter(
    a => a.name.startsWith('aria-') || ['role', 'type', 'hidden', 'open'].includes(a.name)
  ).map(a => a.name === 'aria-expanded' ? a.name + a.value : a.name).join()))].sort().join('|')"""
CUT_OFF = """() => [...document.querySelectorAll('button, h1, h2, h3, label, legend, .govuk-tag')]
  .filter(el => !el.className.includes('visually-hidden') && el.clientWidth > 1
    && getComputedStyle(el).display !== 'inline'
    && (el.scrollWidth > el.clientWidth + 2 || el.scrollHeight > el.clientHeight + 8
        && getComputedStyle(el).overflowY !== 'visible'))
  .map(el => el.outerHTML.slice(0, 100))"""


@dataclass
class Portal:
    """A running reference portal."""

    url: str
    environment: dict[str, str]
    folder: Path

    def flask(self, *arguments: str) -> str:
        """Run `flask s2s ...` against it."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "flask", "--app", "s2s_portal.reference_portal", "s2s"),
                *arguments,
            ],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def read_real_schools(self) -> None:
        """Read the real register in, where the shared folder is."""
        if GIAS.exists():
            self.flask("import", "establishments", str(GIAS))


class Person:
    """One person's browser window. Every page it sees is checked by axe, wide and narrow.

    With `csp` the browser holds pages to the portal's Content-Security-Policy.
    """

    def __init__(
        self,
        browser: Browser,
        portal: Portal,
        *,
        javascript: bool = True,
        csp: bool = False,
        large_text: bool = False,
        size: dict[str, int] = DESKTOP,
    ) -> None:
        self.portal = portal
        self.javascript = javascript
        self.large_text = large_text  # the browser was launched with LARGE_TEXT
        self.size = size
        self.context = browser.new_context(
            java_script_enabled=javascript, viewport=size, bypass_csp=not csp
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)

    def sign_on(self, persona: str, *, urn: int | None = None) -> Person:
        """Sign on as one of the personas, for another school if `urn` says so."""
        self.page.goto(f"{self.portal.url}/sign-in")
        if urn is not None:
            self.page.fill("input[name=urn]", str(urn))
        self.page.click(f"button[name=persona][value={persona}]")
        self.look()
        return self

    def go(self, path: str) -> Person:
        """Go to a path of the portal."""
        self.page.goto(self.portal.url + path)
        self.look()
        return self

    def starts_a_referral(self, kind: str | None = None) -> Person:
        """Start one, past the questions that come first; of a `kind`, if one is given."""
        self.go("/s2s/referrals/start").press("Start the referral")
        self.choose(re.compile("^No$")).press("Continue")
        self.choose("Pupils in Year 1 or above").press("Continue")
        if kind is not None:
            self.follow("What you need help with").choose(kind).press("Save and continue")
        return self

    def follow(self, words: str | re.Pattern[str]) -> Person:
        """Follow the first link of these words."""
        self.page.get_by_role("link", name=words).first.click()
        self.look()
        return self

    def press(self, words: str | re.Pattern[str]) -> Person:
        """Press the button of these words."""
        self.page.get_by_role("button", name=words).first.click()
        # A form that keeps what is typed first goes on from there by itself.
        self.page.locator("form[aria-busy]").wait_for(state="detached")
        self.look()
        return self

    def fill(self, label: str | re.Pattern[str], value: str) -> Person:
        """Fill the field under `label`."""
        self.type_into(self.page.get_by_label(label).first, value)
        return self

    def date(self, legend: str | re.Pattern[str], day: int, month: int, year: int) -> Person:
        """Fill the three boxes of the date under `legend`."""
        group = self.page.get_by_role("group", name=legend).first
        for label, value in (("Day", day), ("Month", month), ("Year", year)):
            self.type_into(group.get_by_label(label), str(value))
        return self

    def choose(self, words: str | re.Pattern[str], *, under: str | None = None) -> Person:
        """Choose the radio or tick the box of these words, in the group of a legend if named."""
        where = self.page.get_by_role("group", name=under).first if under else self.page
        self.choose_one(where.get_by_label(words).first)
        return self

    def pick(self, label: str | re.Pattern[str], option: str) -> Person:
        """Choose `option`, as it reads, from the list under `label`."""
        self.pick_from(self.page.get_by_label(label).first, option)
        return self

    def attach(self, label: str | re.Pattern[str], path: Path) -> Person:
        """Choose the file `path` in the field under `label`."""
        self.attach_to(self.page.get_by_label(label).first, path)
        return self

    def type_into(self, field: Locator, value: str) -> None:
        """Fill a field."""
        field.fill(value)

    def choose_one(self, box: Locator) -> None:
        """Choose a radio or tick a box."""
        box.check()

    def pick_from(self, field: Locator, option: str) -> None:
        """Choose from a list."""
        field.select_option(label=option)

    def attach_to(self, field: Locator, path: Path) -> None:
        """Choose a file."""
        field.set_input_files(path)

    def sees(self, *words: str) -> Person:
        """Assert that the page says `words`."""
        for text in words:
            expect(self.page.locator("body")).to_contain_text(text)
        return self

    def look(self) -> None:
        """Check the page, once as it is: axe at both widths, and that it fits."""
        self.page.wait_for_load_state("load")  # a style sheet that comes late is no fault
        heading = self.page.locator("h1").first.text_content() or ""
        title = self.page.title()
        key = re.sub(r"S2S-\d\d-\w{4}", "REF", f"{title} {heading}")
        assert "Something has gone wrong" not in heading, self.page.locator("body").text_content()
        mark = (key, self.page.evaluate(KINDS), self.javascript, self.large_text)
        if mark in SEEN:
            return
        SEEN.add(mark)
        # Large text is for a large screen, reflow for a small one (1.4.4, 1.4.10).
        for size in [DESKTOP] if self.large_text else [DESKTOP, PHONE]:
            self.page.set_viewport_size(size)  # type: ignore[arg-type]
            if self.javascript:
                self._axe(key, size["width"])
            self._fits(key, size["width"])
        self.page.set_viewport_size(self.size)  # type: ignore[arg-type]

    def _axe(self, key: str, width: int) -> None:
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "async tags => (await axe.run({runOnly: tags})).violations.map("
            "v => v.id + ': ' + v.nodes.map(n => n.html).slice(0, 3).join(' | '))",
            AXE_TAGS,
        )
        assert found == [], f"{key} at {width} px: {found}"

    def _fits(self, key: str, width: int) -> None:
        """Nothing needs sideways scrolling but a table in its own region (1.4.10), and no button
        or heading is cut off (1.4.4)."""
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{key} is {wide} px wide at {width} px"
        cut = self.page.evaluate(CUT_OFF)
        assert cut == [], f"{key} cuts off {cut} at {width} px"

    def close(self) -> None:
        """Close the window."""
        self.context.close()
