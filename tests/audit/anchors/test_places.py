"""One contract for every place that is told checkpoints: it keeps them, gives them back, takes nothing that does not follow."""

import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import boto3
import psycopg
import pytest
from django.test import override_settings
from dulwich.repo import Repo
from moto.server import ThreadedMotoServer

from apps.audit import ledger
from apps.audit.anchors import places, push
from apps.audit.anchors.contract import Anchor, AnchorBroken, Batch, Pushed
from apps.audit.anchors.file import FileAnchor
from apps.audit.anchors.git import GitAnchor
from apps.audit.anchors.places import made
from apps.audit.anchors.push import Pusher
from apps.audit.anchors.s3 import S3Anchor
from apps.audit.merkle import note
from apps.audit.merkle.hashing import fold, leaf_hash
from apps.audit.merkle.maker import sign_now
from apps.core import health
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef, platform_scope, tenant_scope
from tests.audit.settling import settle

BUCKET = "anchors"


class Log:
    """A tree that grows, and its checkpoints."""

    def __init__(self, seed: bytes = b"") -> None:
        self.ledger: UUID = uuid4()
        self.origin = f"aibos/{self.ledger}"
        self.leaves: list[bytes] = []
        self._seed = seed

    def grow(self, count: int) -> Pushed:
        start = len(self.leaves)
        self.leaves += [leaf_hash(self._seed + b"%d" % number) for number in range(start, start + count)]
        size, leaves = len(self.leaves), tuple(self.leaves)
        said = note.Checkpoint(self.origin, size, fold(leaves), dt.datetime.now(dt.UTC), os.urandom(32))
        return Pushed(
            self.ledger, self.origin, size, note.sign(said), lambda first, end: b"".join(leaves[first:end])
        )


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket with object lock behind the real S3 protocol; yields the server's address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def s3(address: str) -> "boto3.client":
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture(params=["file", "git", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Anchor]:
    """Makes the anchor anew each time, as another process would."""
    if request.param == "file":
        return lambda: FileAnchor(tmp_path / "kept")
    if request.param == "git":
        return lambda: GitAnchor(tmp_path / "kept.git")
    client, name = s3(request.getfixturevalue("bucket")), f"{BUCKET}-{os.urandom(4).hex()}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return lambda: S3Anchor(name, "ledger", client=client)


def notes(anchor: Anchor, origin: str) -> list[str]:
    held = anchor.held(origin)
    return list(held.notes) if held else []


def test_what_is_pushed_is_given_back_by_another_process(place: Callable[[], Anchor]) -> None:
    one, other, top = Log(), Log(b"x"), Log(b"top")
    assert notes(place(), one.origin) == []
    pushed = []
    for count in (3, 300, 1):
        pushed.append(one.grow(count))
        place().push(Batch([pushed[-1], *([other.grow(2)] if count == 300 else [])], top.grow(1)))
    assert notes(place(), one.origin) == [item.note for item in pushed]
    assert len(notes(place(), other.origin)) == 1
    assert len(notes(place(), top.origin)) == 3


def test_told_twice_it_keeps_once(place: Callable[[], Anchor]) -> None:
    one, top = Log(), Log(b"top")
    batch = Batch([one.grow(3)], top.grow(1))
    anchor = place()
    anchor.push(batch)
    anchor.push(batch)
    place().push(batch)
    assert len(set(notes(place(), one.origin))) == 1


def test_many_push_at_once(place: Callable[[], Anchor]) -> None:
    one, top = Log(), Log(b"top")
    batch = Batch([one.grow(3)], top.grow(1))
    threads = [threading.Thread(target=place().push, args=(batch,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(notes(place(), one.origin)) == {batch.signed[0].note}


class TestFile:
    """The append-only files check themselves."""

    @pytest.fixture
    def anchor(self, tmp_path: Path) -> FileAnchor:
        return FileAnchor(tmp_path)

    @pytest.fixture
    def log(self, anchor: FileAnchor) -> Log:
        log = Log()
        for count in (3, 5):
            anchor.push(Batch([log.grow(count)], Log(b"top").grow(1)))
        return log

    def test_leaves_are_kept(self, anchor: FileAnchor, log: Log) -> None:
        held = anchor.held(log.origin)
        assert held and held.leaves
        assert held.leaves(0, 8) == b"".join(log.leaves)
        assert held.leaves(6, 99) == b"".join(log.leaves[6:])

    def test_a_fork_is_refused_although_it_is_signed(self, anchor: FileAnchor, log: Log) -> None:
        fork = Log(b"fork")
        fork.ledger, fork.origin = log.ledger, log.origin
        with pytest.raises(AnchorBroken, match="does not follow"):
            anchor.push(Batch([fork.grow(9)], Log(b"top").grow(1)))
        assert len(notes(anchor, log.origin)) == 2
        anchor.push(Batch([log.grow(1)], Log(b"top").grow(1)))  # the true one goes on
        assert len(notes(anchor, log.origin)) == 3

    def test_a_log_set_back_is_refused(self, anchor: FileAnchor, log: Log) -> None:
        back = Log()
        back.ledger, back.origin = log.ledger, log.origin
        with pytest.raises(AnchorBroken, match="never anchored"):
            anchor.push(Batch([back.grow(4)], Log(b"top").grow(1)))

    @pytest.mark.parametrize("file", ["leaves", "checkpoints"])
    def test_one_changed_byte_is_noticed(self, tmp_path: Path, log: Log, file: str) -> None:
        path = FileAnchor(tmp_path).folder_of(log.origin) / file
        data = bytearray(path.read_bytes())
        data[40] ^= 1
        path.write_bytes(data)
        fresh = FileAnchor(tmp_path)
        with pytest.raises((AnchorBroken, note.NoteInvalid)):
            for text in notes(fresh, log.origin):
                note.opened(text)
            fresh.push(Batch([log.grow(1)], Log(b"top").grow(1)))

    @pytest.mark.parametrize("cut", [1, 31, 32, 40, 5 * 32])
    def test_leaves_cut_by_a_crash_are_completed(self, tmp_path: Path, log: Log, cut: int) -> None:
        """A crash between leaves and checkpoint leaves some behind the last checkpoint; nothing is ever cut."""
        fresh, item = FileAnchor(tmp_path), log.grow(5)
        path = fresh.folder_of(log.origin) / "leaves"
        with path.open("ab") as handle:
            handle.write(b"".join(log.leaves[8:])[:cut])
        fresh.push(Batch([item], Log(b"top").grow(1)))
        assert path.read_bytes() == b"".join(log.leaves)

    def test_a_line_cut_by_a_crash_stands_and_is_repeated(self, tmp_path: Path, log: Log) -> None:
        fresh, item = FileAnchor(tmp_path), log.grow(5)
        path = fresh.folder_of(log.origin) / "checkpoints"
        fresh.push(Batch([item], Log(b"top").grow(1)))
        whole = path.read_bytes()
        path.write_bytes(whole[:-30])
        again = FileAnchor(tmp_path)
        again.push(Batch([item], Log(b"top").grow(1)))
        assert notes(again, log.origin)[-1] == item.note
        assert len(notes(again, log.origin)) == 3
        assert path.read_bytes().startswith(whole[:-30])

    def test_other_leaves_behind_the_end_are_refused(self, tmp_path: Path, log: Log) -> None:
        fresh = FileAnchor(tmp_path)
        with (fresh.folder_of(log.origin) / "leaves").open("ab") as handle:
            handle.write(os.urandom(32))
        with pytest.raises(AnchorBroken, match="other leaves"):
            fresh.push(Batch([log.grow(5)], Log(b"top").grow(1)))


def test_a_bucket_without_object_lock_is_refused(bucket: str) -> None:
    client = s3(bucket)
    client.create_bucket(Bucket="plain")
    with pytest.raises(AnchorBroken, match="plain"):
        S3Anchor("plain", client=client).push(Batch([Log().grow(1)], Log(b"top").grow(1)))


def test_a_locked_version_cannot_be_deleted_and_a_mark_hides_nothing(bucket: str) -> None:
    client = s3(bucket)
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    anchor, log = S3Anchor("locked", client=client), Log()
    anchor.push(Batch([log.grow(1)], Log(b"top").grow(1)))
    key = log.origin.replace("/", "_") + ".checkpoint"
    version = client.list_object_versions(Bucket="locked", Prefix=key)["Versions"][0]["VersionId"]
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(Bucket="locked", Key=key, VersionId=version)
    client.delete_object(Bucket="locked", Key=key)
    assert len(notes(anchor, log.origin)) == 1


def test_commits_of_git_are_real_and_go_to_the_remote(tmp_path: Path) -> None:
    Repo.init_bare(str(tmp_path / "remote.git"), mkdir=True)
    anchor, log = GitAnchor(tmp_path / "kept.git", str(tmp_path / "remote.git")), Log()
    for count in (1, 2):
        anchor.push(Batch([log.grow(count)], Log(b"top").grow(1)))
    with Repo(str(tmp_path / "remote.git")) as remote, Repo(str(tmp_path / "kept.git")) as kept:
        head = remote.refs[b"refs/heads/main"]
        assert head == kept.refs[b"refs/heads/main"]
        assert len(list(remote.get_walker(include=[head]))) == 2


@pytest.mark.parametrize("text", ["ftp:x", "s3:x", "s3://b?color=red", ""])
def test_a_place_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"anchor|none of"):
        made(text)


def test_places_are_made_of_words(tmp_path: Path) -> None:
    assert made("file").name == "file"
    assert made(f"git:{tmp_path}#https://example.org/x.git").name == f"git:{tmp_path}"
    assert made("s3://bucket/a/b?days=30&every=90").every == 90


class Refusing:
    """A place that does not answer."""

    name, readable, every = "refusing", False, 0.0

    def push(self, batch: Batch) -> None:
        raise ConnectionError("no route to host")

    def held(self, origin: str) -> None:
        return None


def test_a_place_that_does_not_answer_keeps_no_other_waiting_and_is_seen(
    acme: TenantRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, superuser_url: str
) -> None:
    with tenant_scope(acme):
        ledger.record("lead.created", by=SYSTEM)
    settle(acme)
    sign_now(acme)
    good = FileAnchor(tmp_path)
    monkeypatch.setattr(places, "configured", lambda: (Refusing(), good))
    assert Pusher().run_once() >= 1
    assert notes(good, f"aibos/{acme.id}")
    with platform_scope("test"):
        states = push.states()
    assert (states["refusing"].failures, states["refusing"].error) == (1, "ConnectionError: no route to host")
    assert states["file"].error == ""
    assert health.run()["ledger_anchors"].status == "ok", "it failed a moment ago"
    with psycopg.connect(superuser_url) as admin:
        admin.execute("UPDATE public.audit_checkpoint SET at = at - interval '2 minutes'")
    found = health.run()["ledger_anchors"]
    assert found.status == "degraded"
    assert "no route to host" in found.message
    monkeypatch.setattr(places, "configured", lambda: (good,))
    assert health.run()["ledger_anchors"].status == "ok", "negative control: the other one knows everything"
    monkeypatch.setattr(places, "configured", tuple)
    assert health.run()["ledger_anchors"].status == "degraded"


@pytest.mark.parametrize("origin", ["", "a b", "a/b", "a+b", "-a", "x" * 101])
def test_a_name_nothing_can_be_signed_under_is_refused(origin: str) -> None:
    with override_settings(LEDGER_ORIGIN=origin):
        assert [error.id for error in places.anchors_are_known()] == ["audit.E002"]
    with override_settings(LEDGER_ORIGIN="ledger.example.org", LEDGER_ANCHORS=["file", "ftp:x"]):
        assert [error.id for error in places.anchors_are_known()] == ["audit.E001"]
    assert places.anchors_are_known() == []
