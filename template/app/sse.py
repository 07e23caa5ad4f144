"""Server-sent events: a stream of what somebody follows, until it has ended or he has left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi.responses import StreamingResponse

HEARTBEAT = 15.0  # seconds; proxies close streams that stay silent for long
Look = Callable[[], Awaitable[tuple[str, str, bool]]]


def follow(look: Look, every: float) -> StreamingResponse:
    """Return a stream with an event for each change.

    Args:
        look: Returns the event's name, its data on one line, and whether it is the last.
        every: Seconds between two looks.
    """
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(_changes(look, every), 200, headers, "text/event-stream")


async def _changes(look: Look, every: float) -> AsyncIterator[str]:
    told, silent = "", 0.0
    while True:
        name, data, last = await look()
        if data != told:
            told, silent = data, 0.0
            yield f"event: {name}\ndata: {data}\n\n"
        elif (silent := silent + every) >= HEARTBEAT:
            silent = 0.0
            yield ": still here\n\n"
        if last:
            return
        await asyncio.sleep(every)
