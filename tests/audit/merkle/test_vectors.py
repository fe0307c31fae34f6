"""Proofs against the published vectors, good and corrupted, and against an independent library on random trees."""

import base64
import json
import random
from pathlib import Path
from typing import Any

import pytest
from pymerkle import InmemoryTree, verify_consistency, verify_inclusion

from apps.audit.merkle import ranges
from apps.audit.merkle.hashing import EMPTY, Frontier, fold, leaf_hash, node_hash
from apps.audit.merkle.proofs import consistent, included

FOLDER = Path(__file__).resolve().parents[2] / "data" / "rfc6962"


def vectors(kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{kind}.jsonl").read_text().splitlines()]


def raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("case", vectors("inclusion"), ids=lambda case: case["file"])
def test_inclusion(case: dict[str, Any]) -> None:
    proof = [raw(item) for item in case["proof"] or []]
    held = included(raw(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, raw(case["root"]))
    assert held is not case["wantErr"], case["desc"]


@pytest.mark.parametrize("case", vectors("consistency"), ids=lambda case: case["file"])
def test_consistency(case: dict[str, Any]) -> None:
    proof = [raw(item) for item in case["proof"] or []]
    held = consistent(case["size1"], case["size2"], raw(case["root1"]), raw(case["root2"]), proof)
    assert held is not case["wantErr"], case["desc"]


def test_the_vectors_hold_good_and_bad_proofs() -> None:
    for kind in ("inclusion", "consistency"):
        wanted = [case["wantErr"] for case in vectors(kind)]
        assert wanted.count(True) > 80, kind
        assert wanted.count(False) >= 6, kind


def root(leaves: list[bytes], span: tuple[int, int]) -> bytes:
    return fold(leaves[span[0] : span[1]])


def reference(leaves: list[bytes]) -> bytes:
    """RFC 6962's definition, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(reference(leaves[:middle]), reference(leaves[middle:]))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100, 255, 256, 257, 1000])
def test_three_ways_to_a_root_agree(size: int) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    assert fold(leaves) == reference(leaves) == frontier.root()
    joined = [fold(leaves[i << level : (i + 1) << level]) for level, i in ranges.cover((0, size))]
    assert Frontier(size, joined).root() == fold(leaves)


def test_a_tree_grown_in_any_portions_is_the_same() -> None:
    chance = random.Random(9162)
    leaves = [leaf_hash(b"%d" % number) for number in range(3000)]
    for _ in range(30):
        frontier, at = Frontier(), 0
        while at < len(leaves):
            portion = leaves[at : at + chance.choice([1, 3, 255, 256, 257, 700, 1024])]
            frontier.extend(portion)
            at += len(portion)
            assert frontier.root() == fold(leaves[:at])
        assert frontier.size == len(leaves)


def test_an_independent_library_agrees_on_random_trees() -> None:
    """Differential: roots and proofs of pymerkle and ours are the same, and each refuses what the other refuses."""
    chance = random.Random(6962)
    for _ in range(150):
        size = chance.randint(1, 300)
        bodies = [chance.randbytes(chance.randint(0, 40)) for _ in range(size)]
        leaves, theirs = [leaf_hash(body) for body in bodies], InmemoryTree(algorithm="sha256")
        for body in bodies:
            theirs.append_entry(body)
        assert theirs.get_root() == fold(leaves)
        index, old = chance.randrange(size), chance.randint(1, size)
        proof = [root(leaves, span) for span in ranges.inclusion(index, size)]
        their_proof = theirs.prove_inclusion(index + 1, size)
        assert [leaves[index], *proof] == list(their_proof.path)
        verify_inclusion(leaves[index], fold(leaves), their_proof)
        assert included(leaves[index], index, size, proof, fold(leaves))
        grown = [root(leaves, span) for span in ranges.consistency(old, size)]
        verify_consistency(fold(leaves[:old]), fold(leaves), theirs.prove_consistency(old, size))
        assert consistent(old, size, fold(leaves[:old]), fold(leaves), grown)
        if grown:
            bad = list(grown)
            bad[chance.randrange(len(bad))] = chance.randbytes(32)
            assert not consistent(old, size, fold(leaves[:old]), fold(leaves), bad)
        if proof:
            assert not included(leaves[index], index, size, proof[:-1], fold(leaves))
            assert not included(leaves[index], index, size, [*proof, proof[-1]], fold(leaves))


def test_a_proof_in_a_million_entries_has_twenty_hashes() -> None:
    assert max(len(ranges.inclusion(index, 10**6)) for index in range(0, 10**6, 997)) == 20
    assert max(len(ranges.consistency(old, 10**6)) for old in range(1, 10**6, 997)) <= 21


def test_leaves_and_nodes_cannot_stand_for_each_other() -> None:
    """Negative control: without domain separation the two would be equal."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
