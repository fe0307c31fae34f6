"""A service outside the database: it takes each key once, says so when it comes again, and counts."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Outside:
    """An HTTP server on a free port; `accepted` and `asked` count by key."""

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        lock = threading.Lock()
        accepted, asked = self.accepted, self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                key = self.path.removeprefix("/")
                with lock:
                    asked[key] += 1
                    accepted[key] += asked[key] == 1
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="outside", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
