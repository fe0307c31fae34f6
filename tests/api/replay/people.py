"""Reduce the recording to the scene of two people: signing in, rights, shares, packages, analytics.

python -m tests.api.replay.people <folder with transcript.jsonl>
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.api.replay.extract import exchange, write

DEPTH = 5
WANTED = (*range(2, 33), 43, 62, *range(160, 174), *range(175, 188), 220, 222, *range(233, 250))
WANTED += (284, 286, 287, 288)


def actor(line: dict[str, Any]) -> str:
    """Return who sent it: owner, sales or nobody."""
    call = line["client"]
    if line["n"] == 249:
        return "owner"  # by a key, which the recording does not hold
    if line["n"] in (16, 288) or "[sales" in call or call.startswith("PERM sales"):
        return "sales"
    return "owner" if "authorization" in line["requestHeaders"] else "nobody"


def shallow(shape: Any, depth: int) -> Any:
    """Return a shape without the parts below `depth` and the platform's own tables, which are its own affair."""
    if isinstance(shape, dict):
        kept = {key: item for key, item in shape.items() if key != "*" and not key.startswith("sys_")}
        return {key: shallow(item, depth - 1) for key, item in kept.items()} if depth else {}
    if isinstance(shape, list) and shape:
        return [shallow(shape[0], depth - 1)] if depth else []
    return shape


def main(folder: Path) -> None:
    """Write people.json."""
    lines = [json.loads(text) for text in (folder / "transcript.jsonl").read_text("utf-8").splitlines()]
    made = [exchange(line) | {"actor": actor(line)} for line in lines if line["n"] in WANTED]
    for row in made:
        row["shape"] = shallow(row["shape"], DEPTH)
    write("people.json", made)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
