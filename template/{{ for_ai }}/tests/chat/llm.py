"""A language model that says what a test wants, over OpenAI's API, on a port of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

WORDS = ["Granite", ", ", "says ", "the ", "notes."]


class Model(ThreadingHTTPServer):
    """It streams its words; the last ones wait until the gate is open."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.gate = Event()
        self.reset()

    def reset(self) -> None:
        """Forget what was asked, and answer again."""
        self.gate.set()
        self.status = 200
        self.keys: list[str] = []
        self.asked: list[Any] = []


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Model

    def handle(self) -> None:
        """Answer; whoever has left in the middle misses the rest."""
        with suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        """Stream an answer, or refuse, repeating the key as some providers do."""
        self.server.keys.append(self.headers["Authorization"])
        self.server.asked.append(
            json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        )
        self.send_response(self.server.status)
        if self.server.status != 200:
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            told = {"error": {"message": f"Wrong key: {self.headers['Authorization']}"}}
            self.wfile.write(json.dumps(told).encode())
            return
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self._say(WORDS[0])
        self.server.gate.wait(30)
        for word in WORDS[1:]:
            self._say(word)
        self._send({}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")

    def _say(self, word: str) -> None:
        self._send({"role": "assistant", "content": word}, None)

    def _send(self, delta: dict[str, str], end: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": end}
        kind = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
        }
        self.wfile.write(
            f"data: {json.dumps({**kind, 'choices': [choice]})}\n\n".encode()
        )
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def serving() -> Iterator[Model]:
    """Serve as long as the block lasts."""
    with Model() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.reset()
        server.shutdown()
