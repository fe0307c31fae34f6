"""The bus on Kafka: one topic, a subject always in the same partition, groups as Kafka knows them.

The client is librdkafka. The producer is idempotent and waits for all in-sync replicas, so a batch keeps its order
and is on their disks or in their memories, as the brokers are set up, when `publish` returns.
"""

import datetime as dt
import logging
import os
import threading
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from django.conf import settings

from apps.core.db import loss
from apps.core.health import Finding
from apps.events.bus import carried
from apps.events.bus.carried import Seen
from apps.events.bus.contract import Handle, Lag, Message

logger = logging.getLogger("aibos.events")

BATCH = 256
ANSWER = 10.0
POLL = 0.5
QUIET = 2.0  # seconds that a drain waits for partitions and for more
PAUSE = 1.0
PARTITIONS = 6
FAULTS: tuple[type[Exception], ...] = (KafkaException, *loss.ERRORS)
# A batch that takes longer lets another member of the group take over; the inbox makes effects once.
LONGEST_BATCH_MS = 300_000
PATIENCE = 10  # turns without news after which a drain leaves the rest to whoever holds it


class KafkaBus:
    """Publishes to one topic; each partition is read by one member of a group at a time."""

    name: ClassVar[str] = "kafka"
    is_log: ClassVar[bool] = False

    def __init__(self, servers: str | None = None, topic: str | None = None) -> None:
        self._servers = servers or settings.EVENTS_KAFKA_SERVERS
        self._topic = topic or settings.EVENTS_TOPIC
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._producer: Any = None
        self._made = False

    def publish(self, batch: Sequence[Message]) -> None:
        """Hand the messages to the brokers and wait until all of them are taken."""
        faults: list[Any] = []

        def told(error: Any, _message: Any) -> None:
            if error is not None:
                faults.append(error)

        self._ensure()
        with self._lock:
            producer = self._producer = self._producer or Producer(self._settings() | PRODUCER)
            for item in batch:
                headers: list[tuple[str, str | bytes | None]] = [
                    ("content-type", carried.CONTENT_TYPE.encode()),
                    ("id", str(item.id).encode()),
                ]
                producer.produce(self._topic, item.body, item.key, headers=headers, on_delivery=told)
                producer.poll(0)
            left = producer.flush(ANSWER * 2)
            if left or faults:
                producer.purge()
                producer.flush(1.0)
                self._producer = None  # the next batch begins with a sequence of its own
                raise KafkaException(faults[0] if faults else KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001

    def consume(self, group: str, handle: Handle, stop: threading.Event) -> None:
        """Hand every message to the group until `stop` is set."""
        while not stop.is_set():
            try:
                self._ensure()
                with _Member(self, group) as member:
                    while not stop.is_set():
                        member.turn(handle, POLL)
            except FAULTS as error:
                if not isinstance(error, KafkaException) and not loss.is_lost(error):
                    raise
                logger.warning("%s waits: %s", group, error)
                loss.reset()
                stop.wait(PAUSE)

    def drain(self, group: str, handle: Handle) -> int:
        """Hand over what is there now and return how many messages that were."""
        self._ensure()
        total, idle = 0, 0
        with _Member(self, group) as member:
            while self.lag(group).events and idle < PATIENCE:
                done = member.turn(handle, QUIET)
                total, idle = total + done, 0 if done else idle + 1
        return total

    def lag(self, group: str) -> Lag:
        """Return how many messages the group has not acknowledged, and the age of the oldest."""
        self._ensure()
        reader = Consumer(self._settings() | READER | {"group.id": self.group(group)})
        try:
            behind = [part for part in self._behind(reader) if part[1]]
            if not behind:
                return Lag(0, 0.0)
            reader.assign([place for place, _count in behind])
            found = reader.consume(len(behind), ANSWER / 5)
            times = [item.event().time for raw in found if (item := carried.read(raw.value() or b""))]
        finally:
            reader.close()
        oldest = (dt.datetime.now(dt.UTC) - min(times)).total_seconds() if times else 0.0
        return Lag(sum(count for _place, count in behind), max(0.0, oldest))

    def _behind(self, reader: Any) -> list[tuple[TopicPartition, int]]:
        known = reader.list_topics(self._topic, ANSWER).topics[self._topic].partitions
        places = reader.committed([TopicPartition(self._topic, number) for number in known], ANSWER)
        found = []
        for place in places:
            low, high = reader.get_watermark_offsets(place, ANSWER)
            start = max(low, place.offset)  # nothing acknowledged is a negative offset
            found.append((TopicPartition(self._topic, place.partition, start), high - start))
        return found

    def health(self) -> Finding:
        """Return whether the brokers answer and the topic has a leader for every partition."""
        try:
            self._ensure()
            known = AdminClient(self._settings()).list_topics(self._topic, ANSWER)
        except KafkaException as error:
            return Finding("failed", f"Kafka does not answer ({error}).")
        parts = known.topics[self._topic].partitions.values()
        orphans = sum(part.leader < 0 for part in parts)
        figures = {"bus_brokers": len(known.brokers), "bus_partitions": len(parts)}
        message = (
            f"{len(known.brokers)} brokers of Kafka, {len(parts)} partitions, {orphans} without a leader."
        )
        return Finding("failed" if orphans else "ok", message, figures)

    def close(self) -> None:
        """Let go of the producer; the object may be used again afterwards."""
        with self._lock:
            if self._producer is not None:
                self._producer.flush(ANSWER)
            self._producer = None

    def group(self, name: str) -> str:
        """Return a group's name as the brokers know it."""
        return f"{self._topic}.{name}"

    @property
    def topic(self) -> str:
        return self._topic

    def member(self, group: str) -> Any:
        """Return a client that reads for the group, not yet subscribed."""
        return Consumer(self._settings() | READER | {"group.id": self.group(group)})

    def _settings(self) -> dict[str, Any]:
        return {"bootstrap.servers": self._servers, "client.id": "aibos", "logger": logger} | dict(
            option.split("=", 1) for option in settings.EVENTS_KAFKA_OPTIONS
        )

    def _ensure(self) -> None:
        """Make the topic unless it is there; brokers that make topics by themselves, or let us not, are asked for it."""
        if self._made:
            return
        admin = AdminClient(self._settings())
        if self._topic not in admin.list_topics(timeout=ANSWER).topics:
            wanted = NewTopic(self._topic, PARTITIONS, settings.EVENTS_REPLICAS)
            try:
                admin.create_topics([wanted], request_timeout=ANSWER)[self._topic].result(ANSWER)
            except (KafkaException, TimeoutError) as error:
                logger.info("The topic %s was not made here: %s", self._topic, error)
            known = admin.list_topics(self._topic, timeout=ANSWER).topics[self._topic]
            if known.error is not None and known.error.code() != KafkaError.LEADER_NOT_AVAILABLE:
                raise KafkaException(known.error)
        self._made = True


PRODUCER: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 2,
    "compression.type": "zstd",
    "delivery.timeout.ms": int(ANSWER * 1000),
}
READER: dict[str, Any] = {
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "session.timeout.ms": 10_000,
    "max.poll.interval.ms": LONGEST_BATCH_MS,
    "isolation.level": "read_committed",
}


class _Member:
    """One member of a group."""

    def __init__(self, bus: KafkaBus, group: str) -> None:
        self._reader = bus.member(group)
        self._topic = bus.topic
        self._seen = Seen()

    def __enter__(self) -> Self:
        self._reader.subscribe([self._topic])
        return self

    def __exit__(self, *_raised: object) -> None:
        self._reader.close()

    def turn(self, handle: Handle, wait: float) -> int:
        """Hand over one batch and acknowledge it; what `handle` refuses comes again. Return how many were taken."""
        got = []
        for raw in self._reader.consume(BATCH, wait):
            if raw.error() is None:
                got.append(raw)
            elif raw.error().code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's own name for it
                raise KafkaException(raw.error())
        if not got:
            return 0
        messages = [item for item in (carried.read(raw.value() or b"") for raw in got) if item is not None]
        try:
            if fresh := self._seen.new(messages):
                handle(fresh)
        except Exception:
            self._back(got)
            raise
        self._seen.add(messages)
        self._reader.commit(offsets=_after(got), asynchronous=False)
        return len(got)

    def _back(self, got: Sequence[Any]) -> None:
        """Go back to before the batch, so that it is read again."""
        first: dict[int, int] = {}
        for raw in got:
            first.setdefault(raw.partition(), raw.offset())
        for number, offset in first.items():
            self._reader.seek(TopicPartition(self._topic, number, offset))


def _after(got: Sequence[Any]) -> list[TopicPartition]:
    last = {(raw.topic(), raw.partition()): raw.offset() + 1 for raw in got}
    return [TopicPartition(topic, number, offset) for (topic, number), offset in last.items()]
