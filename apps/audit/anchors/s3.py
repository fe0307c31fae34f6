"""An anchor in an S3 bucket with object lock: one object per tree, every checkpoint a version that nobody may delete.

Credentials, region and endpoint come from the environment, as every S3 client takes them.
"""

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from apps.audit.anchors.contract import AnchorBroken, Batch, Held

TIMEOUT = 10
MOST = 200
MINUTE = 60.0


class S3Anchor:
    """A bucket; what is put there is locked in compliance mode for `days`."""

    readable = True

    def __init__(
        self, bucket: str, prefix: str = "", *, days: int = 3650, every: float = MINUTE, client: Any = None
    ) -> None:
        self.name = f"s3://{bucket}/{prefix}"
        self.every = every
        self._bucket, self._prefix, self._days = bucket, prefix.strip("/"), days
        self._made = client

    @classmethod
    def of_url(cls, text: str) -> "S3Anchor":
        """Make one of `//bucket/prefix?days=3650&every=60`; raises ValueError."""
        parts = urlsplit(text)
        given = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if not parts.netloc or set(given) - {"days", "every"}:
            msg = f"An S3 anchor is written s3://bucket/prefix?days=3650&every=60, not s3:{text}."
            raise ValueError(msg)
        return cls(
            parts.netloc,
            parts.path,
            days=int(given.get("days", 3650)),
            every=float(given.get("every", MINUTE)),
        )

    def push(self, batch: Batch) -> None:
        """Put the newest checkpoint of each tree; refused by a bucket without object lock (AnchorBroken)."""
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=self._days)
        for item in batch.newest():
            try:
                answer = self._client().put_object(
                    Bucket=self._bucket,
                    Key=self._key(item.origin),
                    Body=item.note.encode(),
                    ContentType="text/plain; charset=utf-8",
                    Metadata={"size": str(item.size)},
                    ObjectLockMode="COMPLIANCE",
                    ObjectLockRetainUntilDate=until,
                    ChecksumAlgorithm="SHA256",
                )
            except ClientError as error:
                raise AnchorBroken(f"The bucket {self._bucket} does not take it: {error}") from error
            if not answer.get("VersionId"):
                raise AnchorBroken(f"The bucket {self._bucket} keeps no versions; object lock needs them.")

    def held(self, origin: str) -> Held | None:
        """Return the last `MOST` versions of a tree's object, oldest first; deletion marks hide nothing."""
        key = self._key(origin)
        found = self._client().list_object_versions(Bucket=self._bucket, Prefix=key, MaxKeys=MOST)
        versions = [item["VersionId"] for item in found.get("Versions", []) if item["Key"] == key]
        notes = [self._read(key, version) for version in reversed(versions)]
        return Held(notes) if notes else None

    def _read(self, key: str, version: str) -> str:
        answer = self._client().get_object(Bucket=self._bucket, Key=key, VersionId=version)
        return str(answer["Body"].read().decode())

    def _key(self, origin: str) -> str:
        name = origin.replace("/", "_") + ".checkpoint"
        return f"{self._prefix}/{name}" if self._prefix else name

    def _client(self) -> Any:
        if self._made is None:
            limits = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"max_attempts": 2})
            self._made = boto3.client("s3", config=limits)
        return self._made
