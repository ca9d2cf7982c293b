"""The embedded PostgreSQL, with real servers, as whoever runs the tests.

When root does, the last test runs those that depend on the account as an ordinary user too.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from s2s_portal.reference_portal import postgres, postgres_home
from s2s_portal.reference_portal.postgres import EmbeddedPostgres, EmbeddedPostgresError

SMALL = {**postgres.FAST_AND_UNSAFE, "shared_buffers": "16MB", "max_connections": "20"}
AS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not AS_ROOT, reason="not root: only root keeps things elsewhere")

Make = Callable[..., EmbeddedPostgres]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, as a clone in /srv would be (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="s2s-place-")).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def home(place: Path) -> Path:
    """A home of mode 700, which nobody but its owner may enter."""
    folder = place / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="module")
def pool() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="s2s-pool-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def pooled(pool: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lends clusters that earlier tests left behind, where making one is not what is tested."""
    lent: list[Path] = []
    initialise = postgres._initialise

    def _lend(home: postgres.Home, *, durable: bool) -> None:
        lent.append(home.pgdata)
        for spare in pool.iterdir():
            spare.rename(home.pgdata)
            return
        initialise(home, durable=durable)

    monkeypatch.setattr(postgres, "_initialise", _lend)
    yield
    for number, pgdata in enumerate(lent):
        if pgdata.exists():
            pgdata.rename(pool / f"{place.name}-{number}")


@pytest.fixture
def table() -> str:
    """The name of a table that no earlier test has made."""
    return f"kept_{uuid.uuid4().hex}"


@pytest.fixture
def make_afresh(place: Path) -> Iterator[Make]:
    """Makes servers; stops what a failed test left running."""
    made: list[EmbeddedPostgres] = []

    def _make(data_dir: Path, **settings: str) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(data_dir, {**SMALL, **settings}, store=place / "store"))
        return made[-1]

    yield _make
    for server in made:
        server.stop()


@pytest.fixture
def make(pooled: None, make_afresh: Make) -> Make:
    return make_afresh


class Starter:
    """Another process that starts a server, tells its URL, and stops it when it is told to.

    Forked, for a test in another account may not be able to reach the interpreter.
    """

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._told, tell = os.pipe()
        told, self._tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._tell)
            status = 1
            try:
                os.write(tell, server.start().encode())
                os.read(told, 1)
                server.stop()
                status = 0
            finally:
                os._exit(status)
        os.close(tell)
        os.close(told)

    def url(self) -> str:
        return os.read(self._told, 10_000).decode()

    def stop(self) -> int:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._tell, b"stop")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def ask(server: EmbeddedPostgres, question: str) -> str:
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        found = connection.execute(question)
        row = found.fetchone() if found.description else None
    return str(row[0]) if row else ""


def processes_of(server_home: Path) -> list[str]:
    """The command lines of the living processes of the server in this home."""
    badge = postgres._badge(postgres.Home(server_home, _me(), server_home))
    if Path("/proc/self").exists():
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        lines = [" ".join(postgres._command_line(pid)) for pid in pids]
    else:
        lines = subprocess.check_output(["ps", "-A", "-ww", "-o", "args="], text=True).splitlines()
    return [line for line in lines if badge in line]


def _me() -> postgres_home.Account:
    return postgres_home.Account("me", os.geteuid(), os.getegid())


def home_of(server: EmbeddedPostgres) -> Path:
    assert server._home is not None
    return server._home.path


def postmaster_of(server: EmbeddedPostgres) -> int:
    return int((home_of(server) / "pgdata" / "postmaster.pid").read_text().split("\n")[0])


def kill_9(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while postgres._command_line(pid) not in ([], [""]):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def modes_above(*paths: Path) -> dict[Path, tuple[int, int]]:
    """Mode and owner of every folder above (and of the folders themselves)."""
    folders = {folder for path in paths for folder in (path, *path.parents)}
    return {folder: (folder.stat().st_mode, folder.stat().st_uid) for folder in folders}


def test_what_is_written_outlives_a_stop(place: Path, make_afresh: Make, table: str) -> None:
    server = make_afresh(place / "instance" / "postgres")
    with server:
        ask(server, f"CREATE TABLE {table} AS SELECT 42 AS answer")
        server_home = home_of(server)
        assert processes_of(server_home)
    assert processes_of(server_home) == []
    with pytest.raises(EmbeddedPostgresError, match="not started"):
        _ = server.url
    again = make_afresh(place / "instance" / "postgres")
    assert again.start() == again.start()
    assert ask(again, f"SELECT answer FROM {table}") == "42"


def test_the_server_is_private_and_set_up_for_the_service(place: Path, make_afresh: Make) -> None:
    server = make_afresh(place / "postgres", work_mem="3MB")
    engine = create_engine(server.start())
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT current_user, current_database(), pg_get_userbyid(datdba),"
                " pg_encoding_to_char(encoding), datcollate FROM pg_database"
                " WHERE datname = current_database()"
            )
        ).one()
    engine.dispose()
    assert tuple(found)[:4] == ("s2s", "s2s", "s2s", "UTF8")
    assert found[4] in {"C.UTF-8", "C"}
    shown = {name: ask(server, f"SHOW {name}") for name in ("data_checksums", "work_mem")}
    assert shown == {"data_checksums": "on", "work_mem": "3MB"}
    assert ask(server, "SHOW listen_addresses") == ""
    folder = Path(ask(server, "SHOW unix_socket_directories"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    rules = "SELECT string_agg(DISTINCT type || ' ' || auth_method, ', ') FROM pg_hba_file_rules"
    assert ask(server, rules) == "host reject, local trust"


def test_a_crash_is_recovered_from(place: Path, make: Make, table: str) -> None:
    server = make(place / "postgres", synchronous_commit="on")
    server.start()
    ask(server, f"CREATE TABLE {table} AS SELECT 42 AS answer")
    kill_9(postmaster_of(server))
    again = make(place / "postgres")
    again.start()
    assert ask(again, f"SELECT answer FROM {table}") == "42"
    server.stop()  # answers for a server that is dead, not for this one
    assert ask(again, f"SELECT answer FROM {table}") == "42"
    server_home = home_of(again)
    again.stop()
    assert processes_of(server_home) == []


def test_a_crash_with_a_busy_session_is_waited_for(place: Path, make: Make, table: str) -> None:
    server = make(place / "postgres", synchronous_commit="on")
    server.start()
    ask(server, f"CREATE TABLE {table} AS SELECT 42 AS answer")
    connection = psycopg.connect(server.conninfo)
    session = connection.info.backend_pid
    connection.pgconn.send_query(
        b"DO $$ DECLARE busy_until timestamptz := clock_timestamp() + interval '1.5 seconds';"
        b" BEGIN WHILE clock_timestamp() < busy_until LOOP END LOOP; END $$"
    )
    time.sleep(0.2)
    kill_9(postmaster_of(server))
    assert postgres._command_line(session), "the session should outlive its postmaster"
    server.start()
    connection.close()
    assert ask(server, f"SELECT answer FROM {table}") == "42"


def test_a_process_id_that_now_belongs_to_another_process_does_no_harm(
    place: Path, make: Make
) -> None:
    server = make(place / "postgres")
    with server:
        pid_file = home_of(server) / "pgdata" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    owner = pid_file.parent.stat().st_uid
    innocent = subprocess.Popen(["sleep", "60"], user=owner if AS_ROOT else None)
    try:
        pid_file.write_text("\n".join([str(innocent.pid), *lines[1:]]))
        with server:
            assert postmaster_of(server) != innocent.pid
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_two_processes_may_start_at_once_and_the_one_that_started_stops(
    place: Path, make_afresh: Make
) -> None:
    both = [Starter(make_afresh(place / "postgres")) for _ in range(2)]
    urls = {starter.url() for starter in both}
    assert len(urls) == 1
    third = make_afresh(place / "postgres")
    for _ in range(2):
        assert {third.start()} == urls
        server_home = home_of(third)
        assert len([line for line in processes_of(server_home) if "cluster_name=" in line]) == 1
        third.stop()
    assert [starter.stop() for starter in both] == [0, 0]
    assert processes_of(server_home) == []


def test_a_server_whose_starter_was_killed_is_taken_over(place: Path, make: Make) -> None:
    first = Starter(make(place / "postgres"))
    url = first.url()
    os.kill(first.pid, signal.SIGKILL)
    assert first.stop() == -signal.SIGKILL
    server = make(place / "postgres")
    assert server.start() == url
    server_home = home_of(server)
    assert processes_of(server_home)
    server.stop()
    assert processes_of(server_home) == []


def test_a_forked_child_does_not_stop_its_parents_server(place: Path, make: Make) -> None:
    server = make(place / "postgres")
    server.start()
    child = os.fork()
    if child == 0:
        server.stop()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask(server, "SELECT 1") == "1"


def test_two_clones_run_side_by_side(place: Path, make: Make, table: str) -> None:
    one, other = make(place / "one"), make(place / "other")
    with one, other:
        ask(one, f"CREATE TABLE {table} ()")
        assert one.url != other.url
        assert ask(other, f"SELECT to_regclass('{table}') IS NULL") == "True"


def test_no_permission_changes_outside_our_own_folder(home: Path, make: Make, table: str) -> None:
    data_dir = home / "clone" / "instance" / "postgres"
    data_dir.parent.mkdir(parents=True)
    wheel = postgres_home._wheel()
    before = modes_above(data_dir.parent, wheel, Path(sys.executable).parent)
    server = make(data_dir)
    with server:
        ask(server, f"CREATE TABLE {table} ()")
        kept = home_of(server)
        assert kept.is_relative_to(home) is not AS_ROOT
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert modes_above(data_dir.parent, wheel, Path(sys.executable).parent) == before
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    with make(data_dir) as again:
        assert home_of(again) == kept
        ask(again, f"SELECT count(*) FROM {table}")


def test_the_folder_of_a_socket_may_not_be_somebody_elses(
    place: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make(_deep(place))
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    server.start()
    folder = Path(ask(server, "SHOW unix_socket_directories"))
    assert folder.parent == place
    server.stop()
    assert not folder.exists()
    target = place / "target"
    target.mkdir()
    folder.symlink_to(target)
    with pytest.raises(EmbeddedPostgresError, match="not a folder that belongs to"):
        server.start()
    folder.unlink()
    assert list(target.iterdir()) == []
    if AS_ROOT:  # only root can give a folder away
        folder.mkdir(mode=0o700)
        os.chown(folder, 1, 1)
        with pytest.raises(EmbeddedPostgresError, match="not a folder that belongs to"):
            server.start()
        assert folder.stat().st_uid == 1


def test_a_cluster_that_is_a_link_is_refused(place: Path, make: Make) -> None:
    (place / "postgres").mkdir()
    (place / "postgres" / "cluster").symlink_to(place)
    with pytest.raises(EmbeddedPostgresError, match="not a folder that belongs to"):
        make(place / "postgres").start()


def _deep(place: Path) -> Path:
    folder = place.joinpath(*(["a-rather-long-name-of-a-folder"] * 4)) / "postgres"
    folder.parent.mkdir(parents=True)
    assert len(os.fsencode(folder)) > 107
    return folder


def test_a_deep_folder_is_no_obstacle(place: Path, make: Make) -> None:
    with make(_deep(place)) as server:
        folder = Path(ask(server, "SHOW unix_socket_directories"))
        facts = folder.lstat()
        assert stat.S_IMODE(facts.st_mode) == 0o700
        assert facts.st_uid == (home_of(server)).stat().st_uid
    assert not folder.exists()


def test_a_folder_with_an_awkward_name_is_no_obstacle(
    place: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", str(place))
    with make(place / """it's "my", $HOME é;`id`""") as server:
        engine = create_engine(server.url)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
        engine.dispose()


def test_a_failing_start_tells_why_and_leaves_nothing_running(place: Path, make: Make) -> None:
    server = make(place / "postgres", shared_buffers="rubbish")
    with pytest.raises(EmbeddedPostgresError) as refusal:
        server.start()
    assert 'invalid value for parameter "shared_buffers": "rubbish"' in str(refusal.value)
    assert "server.log" in str(refusal.value)
    assert processes_of(place / "postgres" / "cluster") == []
    with make(place / "postgres") as mended:
        assert ask(mended, "SELECT 1") == "1"


def test_a_start_cut_short_leaves_nothing_running(
    place: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupts(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    server = make(place / "postgres")
    for step in ("_own", "_ensure_database"):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(EmbeddedPostgres, step, interrupts)
            server.start()
        assert processes_of(place / "postgres" / "cluster") == []


def test_a_cluster_half_made_is_made_again(place: Path, make_afresh: Make) -> None:
    draft = place / "postgres" / "cluster" / "pgdata.draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("16\n")
    with make_afresh(place / "postgres") as server:
        assert home_of(server) == draft.parent
        assert not draft.exists()
        assert ask(server, "SELECT 1") == "1"


def test_stop_goes_on_to_harder_means(
    place: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make(place / "postgres")
    server.start()
    server_home = home_of(server)

    def refuses(home: postgres.Home, *_: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "no")

    with psycopg.connect(server.conninfo):  # a session in the way of the gentler signal
        monkeypatch.setattr(postgres, "_run", refuses)
        monkeypatch.setattr(postgres, "GRACE", 1.0)
        server.stop()
    monkeypatch.undo()
    assert processes_of(server_home) == []


def test_remove_leaves_nothing(home: Path, place: Path, make: Make) -> None:
    server = make(home / "postgres")
    server.start()
    with pytest.raises(EmbeddedPostgresError, match="in use by another process"):
        make(home / "postgres").remove()
    server_home = home_of(server)
    server.remove()
    assert not server_home.exists()
    assert processes_of(server_home) == []
    assert {path.name for path in (home / "postgres").iterdir()} == {"start.lock", "owner.lock"}
    assert not list(place.glob("store/clusters/*"))


def test_without_the_wheel_it_says_what_to_set(
    place: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if "pgserver" in name else real(name)
    )
    with pytest.raises(EmbeddedPostgresError, match="set DATABASE_URL"):
        make(place / "postgres").start()


def test_programs_that_do_not_run_here_say_what_to_set(
    place: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = place / postgres_home.WHEEL
    (wheel / "pginstall" / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb", "pg_ctl"):
        (wheel / "pginstall" / "bin" / program).write_bytes(b"\x7fELF of another machine")
        (wheel / "pginstall" / "bin" / program).chmod(0o755)
    monkeypatch.setattr(postgres_home, "_wheel", lambda: wheel)
    with pytest.raises(EmbeddedPostgresError, match="set DATABASE_URL"):
        make(place / "postgres").start()


@only_root
def test_root_copies_programs_that_the_account_cannot_reach(
    home: Path, place: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = postgres_home._wheel()
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, home / part.name, ignore=shutil.ignore_patterns("*18", "*.a"))
    monkeypatch.setattr(postgres_home, "_wheel", lambda: home / wheel.name)
    before = modes_above(home / wheel.name / "pginstall" / "bin")
    with make(home / "postgres") as server:
        assert ask(server, "SELECT 1") == "1"
        programs = server._home.programs if server._home else Path()
        owner = home_of(server).stat().st_uid
    assert programs.is_relative_to(place / "store")
    assert owner != 0
    assert modes_above(home / wheel.name / "pginstall" / "bin") == before
    for folder, _, files in os.walk(
        place / "store" / programs.relative_to(place / "store").parts[0]
    ):
        for path in (Path(folder), *(Path(folder) / name for name in files)):
            assert path.stat().st_uid == 0
            assert not path.stat().st_mode & 0o022


@only_root
def test_root_serves_a_cluster_that_belongs_to_an_ordinary_user(
    place: Path, make_afresh: Make
) -> None:
    with make_afresh(place / "postgres") as server:
        cluster = home_of(server)
    ann = pwd.getpwnam("daemon")
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, ann.pw_uid, ann.pw_gid, follow_symlinks=False)
    with make_afresh(place / "postgres") as server:
        assert (home_of(server) / "pgdata" / "postmaster.pid").stat().st_uid == ann.pw_uid


@only_root
def test_a_moved_data_folder_takes_its_cluster_along_and_a_copy_does_not_share_it(
    home: Path, make: Make, table: str
) -> None:
    with make(home / "first") as server:
        ask(server, f"CREATE TABLE {table} ()")
        kept = home_of(server)
    shutil.copytree(home / "first", home / "copy")
    with make(home / "copy") as server, make(home / "first") as first:
        assert ask(server, f"SELECT to_regclass('{table}') IS NULL") == "True"
        assert home_of(first) == kept
    (home / "first").rename(home / "moved")
    with make(home / "moved") as server:
        assert home_of(server) == kept
        ask(server, f"SELECT count(*) FROM {table}")


@only_root
def test_a_deleted_data_folder_starts_afresh(home: Path, make: Make, table: str) -> None:
    server = make(home / "postgres")
    server.start()
    ask(server, f"CREATE TABLE {table} ()")
    forgotten = home_of(server)
    shutil.rmtree(home / "postgres")
    with make(home / "postgres") as again:
        assert ask(again, f"SELECT to_regclass('{table}') IS NULL") == "True"
        assert not forgotten.exists()
    assert processes_of(forgotten) == []


@only_root
def test_a_store_that_is_not_roots_own_is_refused(home: Path, place: Path, make: Make) -> None:
    (place / "store").mkdir()
    (place / "store").chmod(0o777)
    with pytest.raises(EmbeddedPostgresError, match="DATABASE_URL"):
        make(home / "postgres").start()
    assert list((place / "store").iterdir()) == []


@only_root
def test_the_same_holds_for_an_ordinary_user(home: Path, place: Path, make_afresh: Make) -> None:
    """Runs tests again in an account whose home is private, while a server of root's runs."""
    make_afresh(place / "postgres").start()
    ann = pwd.getpwnam("daemon")
    os.chown(home, ann.pw_uid, ann.pw_gid)
    account = postgres_home.Account(ann.pw_name, ann.pw_uid, ann.pw_gid)
    for needed in (postgres_home._wheel() / "pginstall", Path(__file__)):
        if not account.may_enter(needed):
            pytest.skip(f"an ordinary user cannot enter the folder of {needed}")
    with (home / "report").open("w+") as report:
        child = os.fork()  # the interpreter may be where an ordinary user cannot start it
        if child == 0:
            _run_as(account, home, report.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        report.seek(0)
        said = report.read()
    assert status == 0, said
    assert f"{len(_again())} passed" in said


def _again() -> list[str]:
    tests = (
        test_what_is_written_outlives_a_stop,
        test_the_server_is_private_and_set_up_for_the_service,
        test_a_crash_is_recovered_from,
        test_a_process_id_that_now_belongs_to_another_process_does_no_harm,
        test_two_processes_may_start_at_once_and_the_one_that_started_stops,
        test_a_server_whose_starter_was_killed_is_taken_over,
        test_no_permission_changes_outside_our_own_folder,
        test_the_folder_of_a_socket_may_not_be_somebody_elses,
        test_a_deep_folder_is_no_obstacle,
        test_remove_leaves_nothing,
    )
    return [f"{__file__}::{test.__name__}" for test in tests]


def _run_as(account: postgres_home.Account, home: Path, report: int) -> None:
    status = 1
    try:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
        os.dup2(report, 1)
        os.dup2(report, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        os.environ.update(HOME=str(home), TMPDIR=str(home), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
        os.chdir(home)
        tempfile.tempdir = None
        sys.modules.pop(__name__)
        status = pytest.main(["-q", "--noconftest", "-p", "no:cacheprovider", *_again()])
        sys.stdout.flush()
    except BaseException:
        os.write(report, traceback.format_exc().encode())
    finally:
        os._exit(status)
