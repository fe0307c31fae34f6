"""Procrastinate: a durable queue on PostgreSQL from the package index. `python -m bench.queues.on_procrastinate`."""

import asyncio
import os

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

lines: list[psycopg.AsyncConnection] = []
app = App(connector=PsycopgConnector(conninfo=os.environ.get("BENCH_DATABASE", "")))


@app.task(name="bench.effect")
async def effect(number: int, millis: int) -> None:
    """Write the effect, in a transaction of the task's own."""
    if not lines:
        lines.append(await psycopg.AsyncConnection.connect(os.environ["BENCH_DATABASE"], autocommit=True))
    await lines[0].execute("INSERT INTO public.bench_effect (number) VALUES (%s)", [number])
    await asyncio.sleep(millis / 1000)


def asking() -> App:
    """Return the application as whoever asks for jobs uses it: opened once, synchronous."""
    made = App(connector=SyncPsycopgConnector(conninfo=os.environ["BENCH_DATABASE"]))
    made.open()
    return made


async def main() -> None:
    """Run jobs, one at a time."""
    async with app.open_async():
        await app.run_worker_async(concurrency=1, listen_notify=True, install_signal_handlers=False)


if __name__ == "__main__":
    asyncio.run(main())
