"""The pump: sequencer, relay, sweeper and scheduler in one process, a thread and a connection each."""

import threading

from apps.audit.anchors import places
from apps.audit.anchors.customer import Teller
from apps.audit.anchors.push import Pusher
from apps.audit.merkle.maker import Checkpointer
from apps.audit.sequencer import Sequencer
from apps.audit.siem import forward
from apps.events.health.guard import Guard, Loop
from apps.events.health.probe import probe_forever
from apps.events.health.processes import PUMP, Heartbeat
from apps.events.jobs.sweeper import sweep_forever
from apps.events.relay import Relay, deliver_forever
from apps.events.schedules.scheduler import run_forever


def run(stop: threading.Event) -> None:
    """Run all of them until `stop` is set; one that dies or stands still is put right and says so."""
    loops: dict[str, Loop] = {
        "health": probe_forever,
        "sequencer": Sequencer().run_forever,
        "checkpoints": Checkpointer().run_forever,
        "siem": forward.run_forever,
        "tenants' anchors": Teller().run_forever,
        "relay": Relay().run,
        "delivery": deliver_forever,
        "sweeper": sweep_forever,
        "scheduler": run_forever,
    }
    # A place that hangs keeps the others from nothing.
    loops |= {f"anchor {place.name}": Pusher([place]).run_forever for place in places.configured()}
    guard = Guard(loops, stop)
    guard.start()
    heart = Heartbeat(PUMP, guard.state).start()
    while not stop.wait(1.0):
        guard.look()
    guard.join()
    heart.stop()
