"""The main path in four unlike hosts: own sign-on, layout, tokens, database and mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from s2s_portal import clock
from tests.conftest import NOON
from tests.hosts import path
from tests.hosts.conftest import Post
from tests.hosts.towns import TOWNS, Town


@pytest.mark.parametrize("name", TOWNS)
def test_one_referral_goes_all_the_way(
    name: str, settled: Callable[[str], Town], post: Post
) -> None:
    town = settled(name)
    with clock.frozen(datetime.fromisoformat(NOON)):
        walked = path.walk(town.signed_on)
    run = town.app.test_cli_runner().invoke
    assert run(args=["s2s", "worker", "--once"]).exit_code == 0
    told = [subject for _, subject in post.subjects]
    for words in path.SUBJECTS:
        assert [one for one in told if words in one and walked.reference in one], (words, told)
    links = {line for body in post.bodies for line in body.split() if line.startswith("http")}
    assert all(link.startswith(f"https://portal.example{town.ours}/") for link in links), links
    assert path.PUPIL not in "".join(post.bodies)
    verified = run(args=["s2s", "ledger", "verify"])
    assert verified.exit_code == 0, verified.output
