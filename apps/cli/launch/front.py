"""The front door: Caddy on one port, requests to the WSGI servers, sockets and streams to the ASGI server."""

import os
import shutil
import sys
from pathlib import Path

from apps.cli.launch.children import Child
from apps.cli.launch.options import Options
from apps.cli.launch.places import Places
from apps.cli.launch.ports import is_free

LIVE_PATHS = "/ws/* /events/* /api/v1/events/stream /api/v1/graphql/stream"
CONFIGURATION = """\
{{
	admin off
	auto_https off
	persist_config off
	storage file_system "{storage}"
	log {{
		level WARN
	}}
	servers {{
		timeouts {{
			read_header 15s
			idle 2m
		}}
	}}
}}

http://:{port} {{
	bind {bind}
	request_body {{
		max_size 64MB
	}}
	@live path {live_paths}
	handle @live {{
		reverse_proxy 127.0.0.1:{live} {{
			flush_interval -1
		}}
	}}
	handle {{
		encode zstd gzip
		reverse_proxy 127.0.0.1:{web} {{
			lb_try_duration 10s
			lb_try_interval 100ms
		}}
	}}
}}
"""


def find_caddy(options: Options) -> str | None:
    """Caddy's program: CADDY_BIN, the environment's, or the distribution's."""
    beside = Path(sys.executable).parent / "caddy"
    candidates = [options.caddy] if options.caddy else [str(beside), "caddy"]
    return next((found for name in candidates if (found := shutil.which(name))), None)


def addresses(options: Options) -> list[str]:
    """Where the front door listens: the given address and, beside 127.0.0.1, ::1 where the machine has it."""
    if options.bind == "127.0.0.1" and is_free(options.port, "::1"):
        return ["127.0.0.1", "::1"]
    return [options.bind]


def front_door(options: Options, places: Places, *, program: str, web: int, live: int) -> Child:
    """Write Caddy's configuration and describe the process."""
    storage = places.var / "caddy"
    storage.mkdir(exist_ok=True)
    configuration = places.run / "Caddyfile"
    configuration.write_text(
        CONFIGURATION.format(
            storage=storage,
            port=options.port,
            bind=" ".join(f"[{item}]" if ":" in item else item for item in addresses(options)),
            live_paths=LIVE_PATHS,
            web=web,
            live=live,
        )
    )
    return Child(
        name="front",
        command=[program, "run", "--adapter", "caddyfile", "--config", str(configuration)],
        environment=dict(os.environ) | {"XDG_DATA_HOME": str(storage), "XDG_CONFIG_HOME": str(storage)},
        log=places.logs / "front.log",
        stop_seconds=5,
    )
