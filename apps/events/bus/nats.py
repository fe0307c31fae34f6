"""The bus on NATS JetStream: one stream, read in its order; where a group stands is kept in our own database.

The server must be started with `sync_interval: always`: by default it acknowledges a message up to two minutes
before it is on disk. A group notices a stream that lost its end, or was made anew, by the event it stood at, and
reads again what there is; the inbox makes effects once.
"""

import asyncio
import datetime as dt
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import nats
from django.conf import settings
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from apps.core.db import loss
from apps.core.health import Finding
from apps.core.scope import platform_scope
from apps.events import positions
from apps.events.bus import carried
from apps.events.bus.contract import Handle, Lag, Message
from apps.events.bus.loop import LoopThread
from apps.events.positions import BEGINNING, Position
from apps.events.wake import Ear

logger = logging.getLogger("aibos.events")

BATCH = 256
ANSWER = 10.0  # seconds that the server has for an answer
SYNC = 0.1  # seconds that a busy disk may take for one message when the server syncs each
POLL = 1.0
RECHECK = 5.0  # seconds without news after which the stream is looked at anew
PAUSE = 1.0
PATIENCE = 20  # turns without news after which a drain leaves the rest to whoever holds it
TWICE = 3600.0  # seconds within which the same id counts once
OTHER_SETTINGS = 10058
FAULTS: tuple[type[Exception], ...] = (NatsError, OSError, TimeoutError)


class NatsBus:
    """Publishes to `<topic>.<tenant>.<type>`; any number of processes may consume, one does at a time."""

    name: ClassVar[str] = "nats"
    is_log: ClassVar[bool] = False

    def __init__(self, url: str | None = None, topic: str | None = None) -> None:
        self._url = url or settings.EVENTS_NATS_URL
        self._topic = topic or settings.EVENTS_TOPIC
        self._stream = self._topic.upper().replace(".", "_")
        self._thread = LoopThread("nats")
        self._client: Any = None
        self._js: Any = None

    def publish(self, batch: Sequence[Message]) -> None:
        """Hand the messages to the stream, each on condition that the one before it is there."""
        patience = ANSWER + SYNC * len(batch)
        self._thread.run(lambda: self._publish(batch, patience), seconds=patience + ANSWER)

    def consume(self, group: str, handle: Handle, stop: threading.Event) -> None:
        """Hand every message to the group until `stop` is set."""
        ear, reading = Ear(), _Reading(self, group)
        try:
            while not stop.is_set():
                try:
                    with ear.alone(f"{self._stream}.{group}") as mine:
                        if mine:
                            reading.turn(handle, POLL)
                    if not mine:
                        stop.wait(PAUSE)
                except (*FAULTS, *loss.ERRORS) as error:
                    if not isinstance(error, FAULTS) and not loss.is_lost(error):
                        raise
                    logger.warning("%s waits: %s: %s", group, type(error).__name__, error)
                    loss.reset()
                    ear.close()
                    reading.forget()
                    stop.wait(PAUSE)
        finally:
            ear.close()

    def drain(self, group: str, handle: Handle) -> int:
        """Hand over what is there now and return how many messages that were."""
        ear, reading, total, idle = Ear(), _Reading(self, group), 0, 0
        try:
            while idle < PATIENCE:
                with ear.alone(f"{self._stream}.{group}") as mine:
                    done = reading.turn(handle, POLL / 4) if mine else 0
                total, idle = total + done, 0 if done else idle + 1
                if not done and not self.lag(group).events:
                    break
            return total
        finally:
            ear.close()

    def lag(self, group: str) -> Lag:
        """Return how many messages of the stream the group has not acknowledged, and the age of the oldest."""
        since = self.position(group)
        return self._thread.run(lambda: self._lag(since), seconds=ANSWER)

    def health(self) -> Finding:
        """Return whether the server answers and the stream takes messages."""
        try:
            state = self._thread.run(self._state, seconds=ANSWER)
        except FAULTS as error:
            return Finding("failed", f"NATS does not answer ({type(error).__name__}: {error}).")
        figures = {"bus_messages": state.messages, "bus_bytes": state.bytes}
        return Finding("ok", f"NATS JetStream holds {state.messages} events.", figures)

    def close(self) -> None:
        """Hang up; the object may be used again afterwards."""
        if self._client is not None:
            try:
                self._thread.run(self._hang_up, seconds=ANSWER)
            except FAULTS as error:
                logger.info("NATS was left without a word (%s).", error)
        self._thread.stop()

    # -- where a group stands --------------------------------------------------------------------------

    def position(self, group: str) -> Position:
        """Return the stream's number and the event that the group has handled last."""
        with platform_scope("events: position on the stream"):
            return positions.of(self._place(group), bus=f"{self.name}.stream")

    def move(self, group: str, since: Position, to: Position) -> None:
        """Acknowledge everything up to `to`."""
        with platform_scope("events: move on the stream"):
            positions.move(self._place(group), since=since, to=to)

    def _place(self, group: str) -> str:
        return f"{self._stream}.{group}"

    # -- in the loop -----------------------------------------------------------------------------------

    async def _context(self) -> Any:
        if self._client is None or self._client.is_closed:
            self._client = await nats.connect(
                self._url.split(","),
                name="aibos",
                connect_timeout=5,
                allow_reconnect=False,  # what was on its way would be sent again behind what came later
                error_cb=_quiet,
            )
            self._js = self._client.jetstream(timeout=ANSWER)
            await self._ensure()
        return self._js

    async def _ensure(self) -> None:
        config = StreamConfig(
            name=self._stream,
            subjects=[f"{self._topic}.>"],
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_age=settings.EVENTS_KEEP_DAYS * 86400,
            duplicate_window=TWICE,
            num_replicas=settings.EVENTS_REPLICAS,
        )
        try:
            await self._js.add_stream(config)
        except APIError as error:
            if error.err_code != OTHER_SETTINGS:
                raise
            await self._js.update_stream(config)

    async def _publish(self, batch: Sequence[Message], patience: float) -> None:
        js = await self._context()
        acks, before = [], ""
        for item in batch:
            headers = {"Nats-Msg-Id": str(item.id), "Content-Type": carried.CONTENT_TYPE}
            if before:
                headers["Nats-Expected-Last-Msg-Id"] = before
            before = headers["Nats-Msg-Id"]
            subject = f"{self._topic}.{item.tenant_id or 'platform'}.{item.type}"
            acks.append(
                await js.publish_async(
                    subject, item.body, stream=self._stream, headers=headers, wait_stall=ANSWER
                )
            )
        done = await asyncio.wait_for(asyncio.gather(*acks, return_exceptions=True), patience)
        if faults := [item for item in done if isinstance(item, BaseException)]:
            raise faults[0]

    async def begin(self, since: Position) -> Any:
        """Return a subscription that begins after `since`, or at the oldest when the stream is not what it was."""
        js = await self._context()
        state = (await js.stream_info(self._stream)).state
        start = await self._start(js, state, since)
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=60.0,
            mem_storage=True,
            num_replicas=1,
        )
        return await js.pull_subscribe(f"{self._topic}.>", stream=self._stream, config=config)

    async def _start(self, js: Any, state: Any, since: Position) -> int:
        oldest = max(1, state.first_seq)
        if since == BEGINNING or since.xid + 1 <= oldest:
            return oldest
        try:
            last = await js.get_msg(self._stream, since.xid)
        except NotFoundError:
            last = None
        if last is not None and (last.headers or {}).get("Nats-Msg-Id") == str(since.id):
            return since.xid + 1
        logger.error("The stream is not the one of before; its %s events are read again.", state.messages)
        return oldest

    async def _lag(self, since: Position) -> Lag:
        js = await self._context()
        state = (await js.stream_info(self._stream)).state
        start = await self._start(js, state, since)
        events = max(0, state.last_seq - start + 1)
        if not events:
            return Lag(0, 0.0)
        oldest = carried.read((await js.get_msg(self._stream, start)).data or b"")
        seconds = (dt.datetime.now(dt.UTC) - oldest.event().time).total_seconds() if oldest else 0.0
        return Lag(events, max(0.0, seconds))

    async def _state(self) -> Any:
        return (await (await self._context()).stream_info(self._stream)).state

    async def _hang_up(self) -> None:
        client, self._client = self._client, None
        await client.close()


class _Reading:
    """One consumer's way through the stream."""

    def __init__(self, bus: NatsBus, group: str) -> None:
        self._bus, self._group = bus, group
        self.forget()

    def forget(self) -> None:
        """Begin the next turn with a look at the stream."""
        self._subscription: Any = None
        self._stands: Position | None = None
        self._looked = 0.0

    def turn(self, handle: Handle, wait: float) -> int:
        """Hand over one batch, waiting at most `wait` seconds for it; return how many messages were taken."""
        since = self._bus.position(self._group)
        run = self._bus._thread.run  # noqa: SLF001 - two halves of one thing
        if since != self._stands or time.monotonic() - self._looked > RECHECK:
            self._subscription = run(lambda: self._bus.begin(since), seconds=ANSWER)
            self._looked = time.monotonic()
        self._stands = None
        try:
            got = run(lambda: self._subscription.fetch(BATCH, timeout=wait), seconds=ANSWER + wait)
        except TimeoutError:
            self._stands = since
            return 0
        messages = [item for item in (carried.read(raw.data) for raw in got) if item is not None]
        if messages:
            handle(messages)
        last = got[-1]
        to = Position(last.metadata.sequence.stream, _id_of(last, since))
        self._bus.move(self._group, since, to)
        self._stands, self._looked = to, time.monotonic()
        return len(got)


def _id_of(raw: Any, since: Position) -> Any:
    found = carried.read(raw.data)
    return found.id if found else since.id


async def _quiet(error: Exception) -> None:
    logger.info("NATS: %s: %s", type(error).__name__, error)
