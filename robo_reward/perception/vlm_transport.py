"""Requests over HTTP that end: bounded in time, in size, in number, and never with an exception of the other side."""

import asyncio
import math
import ssl
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import httpx

from robo_reward.perception.vlm import NoReply

_DETAIL = 200  # characters of what a server says about its failure
_HEADERS = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTransport:
    """Posts many requests at once and gives each one's body, or why there is none.

    A request is sent again after status 429, a status of 500 or above, or a time-out before any status; never once a
    reply began to come, so that no request has two replies. Redirects are not followed: a key stays with its server.

    Raises:
        ValueError: A limit that is not positive and finite, or a negative number of retries.
    """

    concurrency: int
    """Requests under way at the same time."""
    connect_timeout: float
    """For a connection to be made [s]."""
    read_timeout: float
    """Longest silence while a reply is awaited or comes [s]."""
    deadline: float
    """For one request with all its attempts and pauses [s], however slowly a server drips."""
    retries: int
    """Further attempts after the first."""
    backoff: float
    """Pause before the first further attempt [s]; doubled before each other one; a `Retry-After` may prolong it."""
    max_reply_bytes: int
    """Longest body that is read [byte]."""

    def __post_init__(self) -> None:
        for name in ("concurrency", "connect_timeout", "read_timeout", "deadline", "backoff", "max_reply_bytes"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be > 0 and finite, got {value}")
        if self.retries < 0:
            raise ValueError(f"retries must be >= 0, got {self.retries}")

    def post_all(
        self, url: str, bodies: Sequence[Callable[[], bytes]], *, secret: str | None = None
    ) -> list[bytes | NoReply]:
        """Post each body to the URL.

        Args:
            url: Where.
            bodies: Makers of JSON bodies; each is called when its turn comes, so that few are in memory at a time.
            secret: Sent as bearer token, and blotted out of whatever the server says about a failure.

        Returns:
            Bodies of replies with status 200, in the order of the requests; a `NoReply` for each other one.
        """
        return _run(self._post_all(url, bodies, secret))

    async def _post_all(
        self, url: str, bodies: Sequence[Callable[[], bytes]], secret: str | None
    ) -> list[bytes | NoReply]:
        headers = _HEADERS if secret is None else _HEADERS | {"authorization": f"Bearer {secret}"}
        turns = asyncio.Semaphore(self.concurrency)
        timeout = httpx.Timeout(self.read_timeout, connect=self.connect_timeout)
        limits = httpx.Limits(max_connections=self.concurrency)
        async with httpx.AsyncClient(headers=headers, timeout=timeout, limits=limits, verify=_certificates()) as client:

            async def post_one(body: Callable[[], bytes]) -> bytes | NoReply:
                async with turns:
                    content = await asyncio.to_thread(body)  # compressing pictures must not stop the others' clocks
                    return await self._post(client, url, content)

            replies = await asyncio.gather(*(post_one(body) for body in bodies))
        return [_without(reply, secret) for reply in replies]

    async def _post(self, client: httpx.AsyncClient, url: str, content: bytes) -> bytes | NoReply:
        try:
            async with asyncio.timeout(self.deadline):
                return await self._attempts(client, url, content)
        except TimeoutError:
            return NoReply(reason="no reply within the deadline")
        except httpx.HTTPError as error:
            return NoReply(reason=f"the connection failed: {type(error).__name__}", detail=str(error)[:_DETAIL])

    async def _attempts(self, client: httpx.AsyncClient, url: str, content: bytes) -> bytes | NoReply:
        clock = asyncio.get_running_loop().time
        end, attempt = clock() + self.deadline, 0
        while True:
            outcome, pause = await self._attempt(client, url, content)
            if pause is None or attempt == self.retries:
                return outcome
            pause = max(pause, self.backoff * 2**attempt)
            if clock() + pause >= end:
                return outcome
            await asyncio.sleep(pause)
            attempt += 1

    async def _attempt(
        self, client: httpx.AsyncClient, url: str, content: bytes
    ) -> tuple[bytes | NoReply, float | None]:
        """Send once; with the least pause [s] before another attempt, None where there must be none."""
        try:
            async with client.stream("POST", url, content=content) as response:
                if response.status_code == httpx.codes.OK:
                    return await self._body(response), None
                passing = response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.status_code >= 500
                return await _refusal(response), _retry_after(response) if passing else None
        except httpx.TimeoutException:
            return NoReply(reason="the server is silent"), 0.0

    async def _body(self, response: httpx.Response) -> bytes | NoReply:
        """Read the body of a reply; from here on nothing is sent again."""
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            return NoReply(
                reason="the reply is compressed although that was ruled out"
            )  # a kilobyte may hold a gigabyte
        body = bytearray()
        try:
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > self.max_reply_bytes:
                    return NoReply(reason=f"the reply is longer than {self.max_reply_bytes} bytes")
        except httpx.TimeoutException:
            return NoReply(reason="the reply stopped midway")
        return bytes(body)


async def _refusal(response: httpx.Response) -> NoReply:
    said = bytearray()
    try:
        async for piece in response.aiter_raw():
            said += piece
            if len(said) > 4 * _DETAIL:
                break
    except httpx.HTTPError:  # the status says enough
        pass
    return NoReply(
        reason=f"HTTP status {response.status_code}", detail=bytes(said).decode("utf-8", "replace")[:_DETAIL]
    )


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks for; 0 where it names none, or a date."""
    said = response.headers.get("retry-after", "").strip()
    return float(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 0.0


def _without(reply: bytes | NoReply, secret: str | None) -> bytes | NoReply:
    if secret and isinstance(reply, NoReply):
        return NoReply(reason=reply.reason, detail=reply.detail.replace(secret, "***"))
    return reply


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # takes some 20 ms; shared by all requests of the process


def _run(work: Coroutine[Any, Any, list[bytes | NoReply]]) -> list[bytes | NoReply]:
    """Run to the end; beside an event loop that already runs here (a notebook) in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()
