"""A language model with OpenAI's API, on a port of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

WORDS = ["Granite", ", ", "says ", "the ", "notes."]


class ModelServer(ThreadingHTTPServer):
    """Streams its words. All but the first wait until the gate is open."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.gate = Event()
        self.gate.set()
        self.status = 200
        self.keys: list[str] = []
        self.requests: list[Any] = []


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: ModelServer

    def handle(self) -> None:
        """Answer, and ignore a client that disconnects."""
        with suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        """Stream an answer, or refuse and repeat the key, as some providers do."""
        key = self.headers["Authorization"]
        self.server.keys.append(key)
        length = int(self.headers["Content-Length"])
        self.server.requests.append(json.loads(self.rfile.read(length)))
        self.send_response(self.server.status)
        if self.server.status != 200:
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            error = {"error": {"message": f"Wrong key: {key}"}}
            self.wfile.write(json.dumps(error).encode())
            return
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self._send_word(WORDS[0])
        self.server.gate.wait(30)
        for word in WORDS[1:]:
            self._send_word(word)
        self._send({}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")

    def _send_word(self, word: str) -> None:
        self._send({"role": "assistant", "content": word}, None)

    def _send(self, delta: dict[str, str], finish_reason: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [choice],
        }
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def running_model() -> Iterator[ModelServer]:
    """Serve while the block lasts."""
    with ModelServer() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.gate.set()
        server.shutdown()
