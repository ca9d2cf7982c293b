"""Where content is kept: a private folder, and a bucket of a real S3-compatible server.

The server is `nanio`, a process on loopback; it checks the signature of each request, as Amazon's
does.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from s2s_portal import storage
from s2s_portal.buckets import Bucket
from s2s_portal.errors import NotMounted, StorageAway
from tests.host import make_host

NANIO = Path(sys.executable).with_name("nanio")
KEYS = {"AWS_ACCESS_KEY_ID": "council", "AWS_SECRET_ACCESS_KEY": "not a secret", "AWS_REGION": "x"}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3-compatible server with one bucket, `files`."""
    place = tmp_path_factory.mktemp("s3")
    (place / "files").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    keys = {
        "NANIO_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"],
        "NANIO_SECRET_KEY": KEYS["AWS_SECRET_ACCESS_KEY"],
        "NANIO_REGION": KEYS["AWS_REGION"],
    }
    command = [str(NANIO), "serve", "--data-dir", str(place), "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env={**os.environ, **keys},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < until, "no S3 server"
            time.sleep(0.1)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each storage there is, empty."""
    if request.param == "folder":
        return storage.Folder(tmp_path / "deep" / "kept")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    endpoint = request.getfixturevalue("endpoint")
    return Bucket(f"s3://files/{tmp_path.name}", endpoint)


def test_what_is_put_is_read_listed_and_deleted(place: storage.Storage) -> None:
    name, other = storage.new_name(), storage.new_name()
    content = bytes(range(256)) * 4096
    place.put(name, content)
    place.put(other, b"x")
    place.put(other, b"y")
    assert (place.read(name), place.read(other)) == (content, b"y")
    listed = dict(place.listed())
    assert listed.keys() == {name, other}
    assert all(abs(datetime.now(UTC) - at) < timedelta(minutes=2) for at in listed.values())
    for _ in range(2):
        place.delete(name)
    with pytest.raises(StorageAway):
        place.read(name)
    assert dict(place.listed()).keys() == {other}


def test_the_folder_is_its_owner_s_alone(tmp_path: Path) -> None:
    kept = storage.Folder(tmp_path / "kept")
    name = storage.new_name()
    old = os.umask(0)
    try:
        kept.put(name, b"x")
    finally:
        os.umask(old)
    path = tmp_path / "kept" / name[:2] / name
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent, kept.place)]
    assert modes == [0o600, 0o700, 0o700]
    assert [one.name for one in path.parent.iterdir()] == [name]


@pytest.mark.parametrize("name", ["", "../" + "a" * 32, "a" * 31, "A" * 32, "a" * 32 + "/x"])
def test_only_names_of_ours_reach_the_disk(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        storage.Folder(tmp_path).put(name, b"x")


def test_a_disk_that_fails_half_way_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = storage.Folder(tmp_path)
    name = storage.new_name()
    kept.put(name, b"the first")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageAway):
        kept.put(name, b"the second")
    assert kept.read(name) == b"the first"
    monkeypatch.undo()
    drafts = [found for found, _ in kept.listed() if found != name]
    for draft in drafts:
        kept.delete(draft)  # what was half written is swept like anything that nobody knows
    assert [found for found, _ in kept.listed()] == [name]


def test_a_wrong_key_and_no_server_are_away(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, "AWS_SECRET_ACCESS_KEY": "another"}.items():
        monkeypatch.setenv(name, value)
    for address in (endpoint, "http://127.0.0.1:9"):
        bucket = Bucket("s3://files/x", address)
        with pytest.raises(StorageAway):
            bucket.put("a", b"x")
        with pytest.raises(StorageAway):
            bucket.read("a")
        with pytest.raises(StorageAway):
            list(bucket.listed())


def test_a_bucket_without_what_talks_to_it_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(NotMounted, match=r"pip install 's2s-portal\[s3\]'"):
        make_host("postgresql+psycopg://nowhere/x", {}, S2S_STORAGE_BUCKET="s3://files")


def test_the_folder_is_below_the_instance_unless_named(tmp_path: Path) -> None:
    named = {"S2S_STORAGE_BUCKET": None, "S2S_STORAGE_FOLDER": str(tmp_path / "else")}
    unnamed = {**named, "S2S_STORAGE_FOLDER": None}
    assert storage.build(named, "/i").place == tmp_path / "else"  # type: ignore[attr-defined]
    assert storage.build(unnamed, "/i").place == Path("/i/s2s-files")  # type: ignore[attr-defined]
