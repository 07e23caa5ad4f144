"""A TCP proxy that can fall silent: it accepts, and passes nothing on."""

import asyncio
from contextlib import closing, suppress
from threading import Thread

from bgscaffold.verify.suite.servers import free_port


class Proxy:
    """Passes connections on to a port of this machine, from a thread of its own."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._passing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        opening = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        asyncio.run_coroutine_threadsafe(opening, self._loop).result(10)

    def fall_silent(self) -> None:
        """Accept connections, and bytes, and answer nothing."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def pass_on(self) -> None:
        """Pass on what comes, and what has been held back."""
        self._loop.call_soon_threadsafe(self._passing.set)

    def close(self) -> None:
        """Cut every connection, and stop."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _cut(self) -> None:
        self._passing.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._passing.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection(
                "127.0.0.1", self.target
            )
        except OSError:
            writer.close()
            return
        for way in (self._pump(reader, far_writer), self._pump(far_reader, writer)):
            task = asyncio.create_task(way)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError), closing(writer):
            while block := await reader.read(65536):
                await self._passing.wait()
                writer.write(block)
                await writer.drain()
