"""Our events read by the published CloudEvents package, in both modes of the HTTP binding, as the vectors have them."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from cloudevents.core.bindings import http
from cloudevents.core.exceptions import CloudEventValidationError

from apps.core import context
from apps.core.actor import SYSTEM
from apps.core.scope import TenantRef
from apps.events import outbox, registry
from apps.events.models import OutboxEvent
from apps.events.registry import EventType
from apps.events.types import Event

FEATURE = Path(__file__).resolve().parents[1] / "data" / "cloudevents" / "http-protocol-binding.feature"
STRUCTURED = "application/cloudevents+json"


def vectors() -> list[tuple[dict[str, str], bytes, dict[str, str], Any]]:
    """Return (headers, body, expected attributes, expected data) of every example of the feature."""
    found = []
    for scenario in FEATURE.read_text().split("Scenario Outline:")[1:]:
        request, data = re.findall(r'"""\n(.*?)"""', scenario, re.DOTALL)
        head, _, body = request.partition("\n\n")
        table = dict(
            re.findall(r"^\s*\|\s*(\w+) \|\s*(\S.*?)\s*\|$", scenario.split("the data is")[0], re.MULTILINE)
        )
        examples = re.findall(
            r"^\s*\|\s*(application/.*?)\s*\|\s*$", scenario.split("Examples:")[1], re.MULTILINE
        )
        for kind in examples:
            lines = [line.strip() for line in head.replace("<contentType>", kind).splitlines()][1:]
            headers = dict(line.split(": ", 1) for line in lines)
            wanted = {
                key: value.replace("<contentType>", kind) for key, value in table.items() if key != "key"
            }
            found.append((headers, body.encode(), wanted, orjson.loads(data)))
    return found


@pytest.fixture
def event(in_acme: object, own_tasks: None) -> Event:
    """An event as the log holds it."""
    registry.register(EventType("cloud.tested", "A test."))
    with context.carrying(request_id="req-9"):
        event_id = outbox.emit("cloud.tested", subject="cloud:ü", data={"message": "Hello World!"}, by=SYSTEM)
    return Event.read(bytes(OutboxEvent.objects.get(pk=event_id).body))


def read(headers: dict[str, str], body: bytes) -> Any:
    """Read a request with the published package, by the mode its content type says."""
    message = http.HTTPMessage(headers=headers, body=body)
    kind = headers["Content-Type"].partition(";")[0]
    return (http.from_structured_event if kind == STRUCTURED else http.from_binary_event)(message)


def test_the_package_agrees_with_the_vectors() -> None:
    """Four examples; what it says of our events counts because it says the right thing of these."""
    examples = vectors()
    assert len(examples) == 4
    for headers, body, wanted, data in examples:
        got = read(headers, body)
        attributes = {key: got.get_attributes()[key] for key in wanted}
        moment = attributes.pop("time")
        assert moment == datetime.fromisoformat(wanted.pop("time"))
        assert attributes == wanted
        assert got.get_data() == data


def test_our_events_are_cloud_events_in_structured_mode(event: Event, acme: TenantRef) -> None:
    got = read({"Content-Type": STRUCTURED}, orjson.dumps(dict(event.envelope)))
    assert (got.get_id(), got.get_type(), got.get_specversion()) == (str(event.id), "cloud.tested", "1.0")
    assert got.get_source() == f"/tenants/{acme.id}"
    assert got.get_dataschema() == "urn:aibos:event:cloud.tested:1"
    assert got.get_time() == event.time.astimezone(UTC)
    assert got.get_extension("tenant") == str(acme.id)
    assert got.get_extension("correlationid") == "req-9"
    assert got.get_data() == {"message": "Hello World!"}


def test_our_events_survive_binary_mode(event: Event) -> None:
    """Attributes as headers, data as body, as the vectors do it: the same event comes out."""
    data = event.envelope["data"]
    rest = {key: value for key, value in event.envelope.items() if key not in ("data", "datacontenttype")}
    headers = {
        f"ce-{key}": quote(str(value), safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~") for key, value in rest.items()
    }
    got = read({"Content-Type": "application/json", **headers}, orjson.dumps(data))
    whole = read({"Content-Type": STRUCTURED}, orjson.dumps(dict(event.envelope)))
    for name in ("id", "type", "source", "subject", "time", "specversion", "dataschema"):
        assert getattr(got, f"get_{name}")() == getattr(whole, f"get_{name}")(), name
    assert got.get_data() == whole.get_data()


def test_negative_control_a_broken_envelope_is_refused(event: Event) -> None:
    for gone in ("type", "source"):  # the package makes an id by itself
        broken = {key: value for key, value in event.envelope.items() if key != gone}
        with pytest.raises(CloudEventValidationError):
            read({"Content-Type": STRUCTURED}, orjson.dumps(broken))
    with pytest.raises(CloudEventValidationError):
        read({"Content-Type": STRUCTURED}, orjson.dumps({**event.envelope, "not_allowed": "x"}))
