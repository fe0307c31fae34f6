"""Playing a recording of the official client against our doors, and judging the answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.api.conftest import Caller
from tests.api.replay.shapes import differences, shape_of


@dataclass(frozen=True)
class Allowed:
    """What may differ from the recording: keys anywhere, keys of one exchange, another status and code (and why)."""

    keys: frozenset[str]
    unalike: Mapping[int, tuple[str, ...]]
    different: Mapping[int, tuple[int, str | None, str]]


class Replay:
    """Plays exchanges in order and remembers which of our ids stands for which recorded one.

    `ours` maps recorded ids to ours; `dropped` names fields that our objects lack; `allowed` what may differ.
    """

    def __init__(
        self,
        callers: Mapping[str, Caller],
        ours: dict[str, str],
        dropped: dict[str, set[str]],
        allowed: Allowed,
    ) -> None:
        self.callers = callers
        self.ours = ours
        self.dropped = dropped
        self.allowed = allowed

    def who(self, exchange: dict[str, Any]) -> Caller:
        """Return the caller in whose name the exchange was recorded."""
        bearer = "authorization" in exchange["headers"] and "bad token" not in exchange["call"]
        return self.callers[exchange.get("actor") or ("owner" if bearer else "nobody")]

    def play(self, exchange: dict[str, Any]) -> list[str]:
        """Send one exchange; return what is wrong with the answer."""
        path, _, query = self.translated(exchange["path"]).partition("?")
        headers = {
            f"HTTP_{n.upper().replace('-', '_')}": self.translated(v) for n, v in exchange["headers"].items()
        }
        headers.pop("HTTP_AUTHORIZATION", None)
        body = self.body(exchange)
        answer = self.who(exchange).send(exchange["method"], path, body, QUERY_STRING=query, **headers)
        return self.judged(exchange, answer)

    def translated(self, text: str) -> str:
        for theirs, ours in self.ours.items():
            text = text.replace(theirs, ours)
        return text

    def body(self, exchange: dict[str, Any]) -> Any:
        body = exchange["body"]
        if isinstance(body, str):
            return body.encode()
        if body is None:
            return None
        parts = exchange["path"].split("?")[0].split("/")
        name = parts[4] if len(parts) > 4 else ""
        return self.without(json.loads(self.translated(json.dumps(body))), self.dropped.get(name, set()))

    def without(self, value: Any, names: set[str]) -> Any:
        if isinstance(value, dict):
            return {key: self.without(item, names) for key, item in value.items() if key not in names}
        return [self.without(item, names) for item in value] if isinstance(value, list) else value

    def judged(self, exchange: dict[str, Any], answer: Any) -> list[str]:
        status, code, _ = self.allowed.different.get(
            exchange["n"], (exchange["status"], exchange["code"], "")
        )
        if answer.status_code != status:
            return [f"{answer.status_code} instead of {status}: {answer.content[:300]!r}"]
        if "etag" in exchange and exchange["etag"] and "ETag" in answer.headers:
            self.ours[exchange["etag"]] = answer["ETag"]
        if hasattr(answer, "streaming_content"):
            content = b"".join(answer.streaming_content)
            found = json.loads(content) if exchange["path"].count("format=json") else content.decode()
        else:
            found = json.loads(answer.content) if answer.content else None
        if code is not None and found.get("code") != code:
            return [f"{found.get('code')} instead of {code}"]
        if exchange["shape"] is None or exchange["n"] in self.allowed.different:
            return []
        self.learn(exchange, found)
        ignored = self.allowed.keys | {name for names in self.dropped.values() for name in names}
        ignored |= set(self.allowed.unalike.get(exchange["n"], ()))
        if "count=true" not in exchange["path"]:
            ignored |= {"total"}  # given when asked for, and on last pages
        return differences(exchange["shape"], shape_of(found), ignored=frozenset(ignored))

    def learn(self, exchange: dict[str, Any], found: Any) -> None:
        if exchange["method"] == "GET" or not isinstance(found, dict):
            return
        plain = exchange["status"] == 201 and "records" not in found and "results" not in found
        mine = [found["id"]] if "id" in found and (plain or "record" in found) else []
        mine += [found["jobId"]] if "jobId" in found else []
        mine += [
            item["id"] for part in ("records", "results") for item in found.get(part, []) if "id" in item
        ]
        self.ours |= dict(zip(exchange["ids"], mine, strict=False))
        if exchange["version"] and isinstance(found.get("record"), dict):
            self.ours[exchange["version"]] = found["record"]["updated_at"]
