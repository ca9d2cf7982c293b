"""Somebody at a browser who has no mouse: Tab, the arrows, Space, Enter and letters."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator

from tests.browser.person import Person

MOST_TABS = 200
MOST_OPTIONS = 60
IS_FOCUSED = "el => el === document.activeElement"
SAME_RADIOS = (
    "el => document.activeElement.type === 'radio' && document.activeElement.name === el.name"
    " && document.activeElement.form === el.form"
)
# A ring, a shadow or the yellow ground of GOV.UK; of a radio or tick box it is on the label.
SHOWS_FOCUS = """() => {
  const el = document.activeElement;
  const seen = s => (s.outlineStyle !== 'none' && s.outlineWidth !== '0px')
    || s.boxShadow !== 'none' || s.backgroundColor === 'rgb(255, 221, 0)';
  const label = el.labels && el.labels[0];
  return seen(getComputedStyle(el)) || Boolean(label && seen(getComputedStyle(label, '::before')));
}"""
# How many stops lie between here and there at least: so many Tabs need no look in between.
BETWEEN = """el => {
  const at = document.activeElement;
  const stops = 'a[href], button, select, textarea, summary, '
    + 'input:not([type=hidden]):not([type=radio])';
  return [...document.querySelectorAll(stops)].filter(one => one !== el && one.tabIndex >= 0
    && !one.disabled && one.offsetParent !== null && (el.compareDocumentPosition(one) & 2)
    && (at === document.body || (at.compareDocumentPosition(one) & 4))).length;
}"""
WHERE = "() => document.activeElement.outerHTML.slice(0, 120)"


class KeyboardPerson(Person):
    """A `Person` who reaches everything by Tab, and sees each time where the focus is."""

    def follow(self, words: str | re.Pattern[str]) -> Person:
        """Tab to the first link of these words and press Enter."""
        self._reach(self.page.get_by_role("link", name=words).first)
        return self._enter()

    def press(self, words: str | re.Pattern[str]) -> Person:
        """Tab to the button of these words and press Enter."""
        self._reach(self.page.get_by_role("button", name=words).first)
        return self._enter()

    def type_into(self, field: Locator, value: str) -> None:
        """Tab to a field and type over what it says."""
        self._reach(field)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(value)

    def choose_one(self, box: Locator) -> None:
        """Tab to a box and press Space; among radio buttons, the arrows."""
        if box.is_checked():
            return
        if box.get_attribute("type") != "radio":
            self._reach(box)
            self.page.keyboard.press("Space")
            return
        self._tab_until(box, SAME_RADIOS)
        for _ in range(MOST_OPTIONS):
            if box.evaluate(IS_FOCUSED):
                break
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("Space")
        assert box.is_checked()

    def pick_from(self, field: Locator, option: str) -> None:
        """Tab to a list and go down it to `option`."""
        self._reach(field)
        self.page.keyboard.press("Home")
        for _ in range(MOST_OPTIONS):
            if field.evaluate("el => el.selectedOptions[0].label.trim()") == option:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"the list has no {option}")

    def attach_to(self, field: Locator, path: Path) -> None:
        """Tab to a file field; the dialogue it opens is the system's, not ours."""
        self._reach(field)
        field.set_input_files(path)

    def _enter(self) -> Person:
        with self.page.expect_navigation(wait_until="load"):
            self.page.keyboard.press("Enter")
        self.look()
        return self

    def _reach(self, target: Locator) -> None:
        target.wait_for(state="visible")
        self._tab_until(target, IS_FOCUSED)

    def _tab_until(self, target: Locator, reached: str) -> None:
        if not target.evaluate(reached):
            for _ in range(target.evaluate(BETWEEN)):
                self.page.keyboard.press("Tab")
        for _ in range(MOST_TABS):
            if target.evaluate(reached):
                assert self.page.evaluate(SHOWS_FOCUS), f"no focus: {self.page.evaluate(WHERE)}"
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{target} cannot be reached by Tab on {self.page.url}")
