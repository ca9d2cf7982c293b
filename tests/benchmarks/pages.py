"""Three pages against their floors, with 5,000 referrals; a school's list with 20 and with 2,000;
statements with 5 rows and with 50."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

from flask import Flask
from sqlalchemy import Engine, create_engine, event, text

from s2s_portal.state import state
from tests import world
from tests.benchmarks import floors
from tests.benchmarks.volume import fill
from tests.client import Client
from tests.conftest import migrated_database
from tests.host import make_host

REFERRALS = 5_000
REPEATS = 40
AIM = 2.0


def host(server_url: str, name: str, referrals: int, page_size: int) -> tuple[Flask, str]:
    """A host on a database of its own with `referrals` referrals; and a reference to look at."""
    url = migrated_database(server_url, name)
    engine = create_engine(url)
    with engine.begin() as connection:
        fill(connection, referrals)
        reference = connection.scalar(
            text("SELECT reference FROM s2s.referral WHERE status = 'accepted' ORDER BY id LIMIT 1")
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    return make_host(url, dict(world.ACTORS), S2S_PAGE_SIZE=page_size), str(reference)


def run(server_url: str) -> None:
    """Print each page's median, its floor's, and the ratio; then statements for each page."""
    app, reference = host(server_url, "s2s_bench", REFERRALS, 50)
    # An engine of the floors' own, as a page of the host's would use.
    floors.add(app, create_engine(app.config["SQLALCHEMY_DATABASE_URI"]), reference)
    client = Client(app).sign_on("officer")
    print(f"Pages with {REFERRALS:,} referrals, median of {REPEATS}, aim {AIM} or less")
    print(f"{'page':22}{'ours ms':>10}{'floor ms':>10}{'ratio':>8}")
    for name, ours, floor in (
        ("triage worklist", client.url("triage.index"), "/floor/worklist"),
        ("referral", client.url("triage.show", reference=reference), "/floor/referral"),
        (
            "candidate table",
            client.url("allocation.allocate", reference=reference),
            "/floor/candidates",
        ),
    ):
        mine, theirs = interleaved(partial(get, client, ours), partial(get, client, floor))
        print(f"{name:22}{mine * 1000:10.2f}{theirs * 1000:10.2f}{mine / theirs:8.2f}")
    print_school_list(server_url)
    print_statements(server_url)


def print_school_list(server_url: str) -> None:
    """Print what a school with 20 referrals waits for its list, and one with 2,000: as long."""
    paths = {}
    for referrals in (20, 2_000):
        app, _ = host(server_url, f"s2s_bench_school_{referrals}", referrals, 25)
        engine = create_engine(app.config["SQLALCHEMY_DATABASE_URI"])
        with engine.begin() as connection:
            for statement in OF_ONE_SCHOOL:
                connection.execute(text(statement))
        engine.dispose()
        client = Client(app).sign_on("senco")
        listed = client.url("referrals.index")
        paths[referrals] = {
            "first page": partial(get, client, listed),
            "one status": partial(get, client, f"{listed}?status=accepted"),
            "by name": partial(find, client, listed, "Pupil Invented"),
            "by a name of nobody": partial(find, client, listed, "Nobody"),
        }
    print(f"\n{'school list':22}{'20 ms':>10}{'2,000 ms':>10}{'ratio':>8}")
    for name, few in paths[20].items():
        small, large = interleaved(few, paths[2_000][name])
        print(f"{name:22}{small * 1000:10.2f}{large * 1000:10.2f}{large / small:8.2f}")


# Every referral becomes one of the SENCo's school, and all but twenty have been there for long.
OF_ONE_SCHOOL = (
    f"""
    INSERT INTO s2s.establishment (urn, local_authority, establishment_number, name, type_code,
        type_name, status_code, phase_code, phase_name, street, town, postcode, district,
        trust_name)
    SELECT {world.SCHOOL}, 926, 1, 'Bench School', 1, '', 1, 2, 'Primary', '', '', '', '', ''
    """,
    f"UPDATE s2s.referral SET urn = {world.SCHOOL}",
    "ANALYZE",
)


def find(client: Client, path: str, name: str) -> None:
    """Search the list for a name."""
    form = {"csrf_token": client.token, "q": name}
    assert client.open(path, method="POST", data=form).status_code == 200


def get(client: Client, path: str) -> None:
    """Fetch a page; anything but 200 is a broken benchmark."""
    assert client.open(path).status_code == 200, path


def interleaved(ours: Callable[[], None], floor: Callable[[], None]) -> tuple[float, float]:
    """Median seconds of each, measured in turn so that both see the same machine."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS + 3):
        for action, found in zip((ours, floor), times, strict=True):
            start = perf_counter()
            action()
            found.append(perf_counter() - start)
    return median(times[0][3:]), median(times[1][3:])


def print_statements(server_url: str) -> None:
    """Print how many statements each page takes with 5 rows and with 50: the two must be equal."""
    found = {}
    for rows in (5, 50):
        app, reference = host(server_url, f"s2s_bench_{rows}", rows * 4, rows)
        with app.app_context():
            engine = state().engine
        client = Client(app).sign_on("officer")
        found[rows] = {
            name: statements(engine, partial(get, client, path))
            for name, path in (
                ("triage worklist", client.url("triage.index")),
                ("referral", client.url("triage.show", reference=reference)),
                ("candidate table", client.url("allocation.allocate", reference=reference)),
            )
        }
    print(f"\n{'statements':22}{'5 rows':>10}{'50 rows':>10}")
    for name, few in found[5].items():
        print(f"{name:22}{few:10}{found[50][name]:10}")


def statements(engine: Engine, action: Callable[[], None]) -> int:
    """How many statements `action` sends, after a first time that warms caches."""
    action()
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    action()
    event.remove(engine, "before_cursor_execute", note)
    return len(seen)
