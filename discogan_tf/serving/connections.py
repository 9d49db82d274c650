"""Connections of the server: how long a client may take, and how many may wait.

uvicorn limits neither the time for a request's headers nor the time to read an answer. Without such
limits a few hundred connections that send or read nothing would keep everybody else out.
"""

import asyncio
import dataclasses
import time

from uvicorn.protocols.http.h11_impl import H11Protocol

_CHECK_SECS = 1.0


@dataclasses.dataclass(frozen=True)
class ConnectionLimits:
    """Limits of connections.

    Attributes:
      max_connections: Open at once. Beyond it, the one that has waited longest for a request is
        closed.
      header_timeout_secs: Time for the headers of a request to arrive, and for the next request.
      read_timeout_secs: Time in which a client must read `min_read_bytes` of an answer.
      min_read_bytes: See there.
      max_unread_bytes: Size of all answers that clients have not read. Beyond it, the client that
        has been slow for longest is disconnected.
    """

    max_connections: int = 200
    header_timeout_secs: float = 10.0
    read_timeout_secs: float = 10.0
    min_read_bytes: int = 64 << 10
    max_unread_bytes: int = 128 << 20


def limited_protocol(limits: ConnectionLimits) -> type[H11Protocol]:
    """uvicorn's HTTP protocol with these limits, for `uvicorn.run(http=...)`."""

    class LimitedProtocol(_LimitedProtocol):
        pass

    LimitedProtocol.limits = limits
    return LimitedProtocol


class _LimitedProtocol(H11Protocol):
    limits: ConnectionLimits

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.waiting_since = time.monotonic()
        # When the client began to lag behind, and what it had left to read.
        self.lagging_since: float | None = None
        self._unread_bytes = 0
        super().connection_made(transport)
        self._check_timer = self.loop.call_later(_CHECK_SECS, self._check)
        if len(self.connections) > self.limits.max_connections:
            waiting = [other for other in self.connections if other.is_waiting()]
            if waiting:
                min(waiting, key=lambda other: other.waiting_since).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._check_timer.cancel()
        super().connection_lost(exc)

    def is_waiting(self) -> bool:
        """Whether no request is being answered and every answer has been read."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self.unread_bytes() == 0 and not self.transport.is_closing()

    def unread_bytes(self) -> int:
        """Size of what the client has not read, except for what the system buffers."""
        return self.transport.get_write_buffer_size()

    def on_response_complete(self) -> None:
        self.waiting_since = time.monotonic()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client reads more slowly than the server writes."""
        super().pause_writing()
        self.lagging_since, self._unread_bytes = time.monotonic(), self.unread_bytes()
        lagging = [other for other in self.connections if other.lagging_since is not None]
        if sum(other.unread_bytes() for other in lagging) > self.limits.max_unread_bytes:
            slowest = min(lagging, key=lambda other: other.lagging_since)
            slowest.lagging_since = None
            slowest.transport.abort()

    def resume_writing(self) -> None:
        super().resume_writing()
        # The next request is waited for from here on.
        self.lagging_since, self.waiting_since = None, time.monotonic()

    def _check(self) -> None:
        """Disconnects a client that took too long; else looks again later."""
        now = time.monotonic()
        if self.lagging_since is not None:
            if now - self.lagging_since > self.limits.read_timeout_secs:
                if self._unread_bytes - self.unread_bytes() < self.limits.min_read_bytes:
                    self.transport.abort()
                    return
                self.lagging_since, self._unread_bytes = now, self.unread_bytes()
        elif self.is_waiting() and now - self.waiting_since > self.limits.header_timeout_secs:
            self.transport.abort()
            return
        self._check_timer = self.loop.call_later(_CHECK_SECS, self._check)
