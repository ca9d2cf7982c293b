"""Content in a bucket of an S3-compatible store, through the extra `s3` (obstore)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from s2s_portal.errors import NotMounted, StorageAway

# A page waits for this: three tries, and no longer than the patience of whoever sends a file.
PATIENCE = {"timeout": "20s", "connect_timeout": "3s"}
RETRIES = {"max_retries": 2, "retry_timeout": timedelta(seconds=30)}


class Bucket:
    """A `storage.Storage` in a bucket.

    Keys are found as other programs find them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
    AWS_REGION in the environment, or the role of the machine; never in our settings.
    """

    def __init__(self, address: str, endpoint: str | None) -> None:
        """`address` is `s3://bucket/prefix`; `endpoint` the store's own, None for AWS."""
        try:
            from obstore.store import S3Store
        except ImportError as error:
            raise NotMounted(
                "S2S_STORAGE_BUCKET is set, but what talks to buckets is not installed:"
                " pip install 's2s-portal[s3]'."
            ) from error
        options: dict[str, Any] = {"client_options": dict(PATIENCE), "retry_config": RETRIES}
        if endpoint:
            options["endpoint"] = endpoint
            options["client_options"]["allow_http"] = endpoint.startswith("http://")
        self.store = S3Store.from_url(address, **options)

    def put(self, name: str, content: bytes) -> None:
        """Keep `content` as `name`."""
        with _away_is_away():
            self.store.put(name, content)

    def read(self, name: str) -> bytes:
        """The content of `name`."""
        with _away_is_away():
            return bytes(self.store.get(name).bytes())

    def delete(self, name: str) -> None:
        """Remove `name`, if there is one."""
        with _away_is_away(), suppress(FileNotFoundError):
            self.store.delete(name)

    def listed(self) -> Iterator[tuple[str, datetime]]:
        """Each name with its instant; S3 gives them in pages, and so do we."""
        with _away_is_away():
            for some in self.store.list():
                for thing in some:
                    yield thing["path"].rpartition("/")[2], thing["last_modified"]


@contextmanager
def _away_is_away() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        raise StorageAway() from error
