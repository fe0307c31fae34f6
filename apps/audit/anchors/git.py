"""An anchor in a git repository: one commit per push, one file per tree; the git program is not needed.

The repository is bare. With a remote, each commit is pushed there before the batch counts as kept.
"""

import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from dulwich import porcelain
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from apps.audit.anchors.contract import AnchorBroken, Batch, Held

BRANCH = Ref(b"refs/heads/main")
AUTHOR = b"AI-BOS ledger <ledger@aibos.invalid>"
FILE = 0o100644
MOST = 1000


class GitAnchor:
    """A bare repository at `folder`; `remote` is a URL that every commit is pushed to, or empty."""

    readable = True
    every = 0.0

    def __init__(self, folder: Path, remote: str = "", name: str = "git") -> None:
        self.name = name
        self._folder = folder
        self._remote = remote

    def push(self, batch: Batch) -> None:
        """Commit the newest checkpoint of each tree; nothing new makes no commit. Raises AnchorBroken."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "aibos.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._open() as repo:
                self._commit(repo, batch)
                if self._remote:
                    porcelain.push(repo, self._remote, BRANCH)

    def held(self, origin: str) -> Held | None:
        """Return the notes of a tree in the last `MOST` commits that touched it, oldest first."""
        if not (self._folder / "HEAD").exists():
            return None
        with Repo(str(self._folder)) as repo:
            notes = list(_history(repo, _file_of(origin)))[::-1]
        return Held(notes) if notes else None

    def _open(self) -> Repo:
        if (self._folder / "HEAD").exists():
            return Repo(str(self._folder))
        return Repo.init_bare(str(self._folder))

    def _commit(self, repo: Repo, batch: Batch) -> None:
        parent = repo.refs[BRANCH] if BRANCH in repo.refs else None  # noqa: SIM401 - no mapping with get()
        before = _tree(repo, parent) if parent else None
        tree = Tree.from_string(before.as_raw_string()) if before else Tree()
        for item in batch.newest():
            blob = Blob.from_string(item.note.encode())
            repo.object_store.add_object(blob)
            tree.add(_file_of(item.origin), FILE, blob.id)
        if before is not None and tree.id == before.id:
            return
        repo.object_store.add_object(tree)
        message = f"{len(batch.signed)} checkpoints, {batch.top.size} in all\n".encode()
        made = _made(tree, parent, message)
        repo.object_store.add_object(made)
        if not repo.refs.set_if_equals(BRANCH, parent, made.id):
            raise AnchorBroken("Somebody else committed to the anchor's branch meanwhile.")


def _made(tree: Tree, parent: ObjectID | None, message: bytes) -> Commit:
    made = Commit()
    made.tree = tree.id
    made.parents = [parent] if parent else []
    made.author = made.committer = AUTHOR
    made.author_time = made.commit_time = int(time.time())
    made.author_timezone = made.commit_timezone = 0
    made.encoding = b"UTF-8"
    made.message = message
    return made


def _tree(repo: Repo, commit: ObjectID) -> Tree:
    made = repo[commit]
    found = repo[made.tree] if isinstance(made, Commit) else None
    if not isinstance(found, Tree):
        raise AnchorBroken("The anchor's branch does not lead to a tree.")
    return found


def _history(repo: Repo, name: bytes) -> Iterator[str]:
    """Yield the versions of one file, newest first."""
    if BRANCH not in repo.refs:
        return
    last = None
    for step in repo.get_walker(include=[repo.refs[BRANCH]], max_entries=MOST):
        tree = _tree(repo, step.commit.id)
        if name not in tree:
            return
        blob = tree[name][1]
        if blob != last:
            last = blob
            yield repo[blob].as_raw_string().decode()


def _file_of(origin: str) -> bytes:
    return (origin.replace("/", "_") + ".checkpoint").encode()
