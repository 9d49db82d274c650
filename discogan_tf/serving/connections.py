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
      max_connections: Open at once. Beyond it, the one is closed that has let the server wait for
        longest, for a request or for the rest of its body; if there is none, the new one.
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
        # When the client was first seen with something left to read, and how much it was then.
        self.lagging_since: float | None = None
        self._unread_bytes = 0
        super().connection_made(transport)
        self._check_timer = self.loop.call_later(_CHECK_SECS, self._check)
        if len(self.connections) > self.limits.max_connections:
            idle = [other for other in self.connections if other.is_idle() and other is not self]
            closed = min(idle, key=lambda other: other.waiting_since, default=self)
            closed.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._check_timer.cancel()
        super().connection_lost(exc)

    def is_idle(self) -> bool:
        """Whether the server waits for the client: for a request, or the rest of its body."""
        if self.transport.is_closing():  # Closed already, for another one.
            return False
        return self._awaits_request() or (self.cycle.more_body and not self.cycle.response_started)

    def unread_bytes(self) -> int:
        """Size of what the client has not read, except for what the system buffers."""
        return self.transport.get_write_buffer_size()

    def on_response_complete(self) -> None:
        self.waiting_since = time.monotonic()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client reads more slowly than the server writes."""
        super().pause_writing()
        self._note_lag(time.monotonic())
        lagging = [other for other in self.connections if other.lagging_since is not None]
        if sum(other.unread_bytes() for other in lagging) > self.limits.max_unread_bytes:
            min(lagging, key=lambda other: other.lagging_since).transport.abort()

    def _awaits_request(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _patience_secs(self) -> float:
        """Time for a request to arrive: after the first one, no less than uvicorn keeps alive."""
        headers = self.limits.header_timeout_secs
        return headers if self.cycle is None else max(headers, self.timeout_keep_alive + 1)

    def _note_lag(self, now: float) -> None:
        if self.lagging_since is None:
            self.lagging_since, self._unread_bytes = now, self.unread_bytes()

    def _check(self) -> None:
        """Disconnects a client that took too long; else looks again later."""
        now, unread = time.monotonic(), self.unread_bytes()
        if unread:
            # However little it is: while something is left, uvicorn does not close a connection.
            self._note_lag(now)
            if now - self.lagging_since > self.limits.read_timeout_secs:
                if self._unread_bytes - unread < self.limits.min_read_bytes:
                    self.transport.abort()
                    return
                self.lagging_since, self._unread_bytes = now, unread
        elif self.lagging_since is not None:
            # The next request is waited for from here on.
            self.lagging_since, self.waiting_since = None, now
        elif self._awaits_request() and now - self.waiting_since > self._patience_secs():
            self.transport.abort()
            return
        self._check_timer = self.loop.call_later(_CHECK_SECS, self._check)
