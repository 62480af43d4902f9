"""A chat-completions server on this machine, as good or bad as a test wants it; real HTTP over real sockets."""

import base64
import io
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import torch
from PIL import Image

from robo_reward.perception.vlm import NoReply, Question, Reply
from robo_reward.perception.vlm_server import OpenAiServer
from robo_reward.perception.vlm_transport import HttpTransport

RED = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None].expand(3, 6, 8)


class Asked:
    """What the server was asked, and how it may answer."""

    def __init__(self, handler: BaseHTTPRequestHandler, number: int) -> None:
        self._handler, self.number = handler, number
        self.path, self.headers = handler.path, dict(handler.headers)
        self.json = json.loads(handler.rfile.read(int(handler.headers["content-length"])))

    @property
    def text(self) -> str:
        return "".join(part["text"] for part in self._parts if part["type"] == "text")

    @property
    def pictures(self) -> list[np.ndarray]:
        return [_decoded(url) for url in self._urls]

    @property
    def last_picture(self) -> np.ndarray:
        return _decoded(self._urls[-1])

    @property
    def _urls(self) -> list[str]:
        return [part["image_url"]["url"] for part in self._parts if part["type"] == "image_url"]

    @property
    def _parts(self) -> list[dict[str, Any]]:
        (message,) = self.json["messages"]
        return message["content"]

    def answer(self, body: bytes | Mapping[str, Any], *, status: int = 200, headers: Sequence[tuple] = ()) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._handler.send_response(status)
        for name, value in [("content-type", "application/json"), ("content-length", len(content)), *headers]:
            self._handler.send_header(name, str(value))
        self._handler.end_headers()
        self._handler.wfile.write(content)

    def send_raw(self, content: bytes) -> None:
        """Write bytes that need not be HTTP, and hang up."""
        self.drip(content)
        self._handler.close_connection = True

    def drip(self, content: bytes) -> None:
        self._handler.wfile.write(content)
        self._handler.wfile.flush()


def _decoded(url: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1]))))


class ChatServer:
    """Runs `behave` on every request, in threads; remembers what it was asked."""

    def __init__(self, behave: Callable[[Asked], None]) -> None:
        self.asked: list[Asked] = []
        lock, remembered = threading.Lock(), self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def do_POST(self) -> None:
                with lock:
                    asked = Asked(self, len(remembered))
                    remembered.append(asked)
                behave(asked)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close, request_queue_size = True, False, 256

            def handle_error(self, *_: object) -> None:
                """Clients hang up on bad servers."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "ChatServer":
        threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.01), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def completion(text: str, *, finish_reason: str = "stop") -> dict[str, Any]:
    """A good chat completion, with what servers add to it."""
    message = {"role": "assistant", "content": text, "refusal": None, "tool_calls": []}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


def first_token(logprobs: Mapping[str, float]) -> dict[str, Any]:
    """A good chat completion of one token, with the logarithms of probabilities."""
    top = [{"token": token, "logprob": value, "bytes": list(token.encode())} for token, value in logprobs.items()]
    good = completion(next(iter(logprobs)), finish_reason="length")
    good["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return good


def transport(**changes: Any) -> HttpTransport:
    """Limits that a test need not wait for."""
    settings = {
        "concurrency": 8,
        "connect_timeout": 2.0,
        "read_timeout": 2.0,
        "deadline": 5.0,
        "retries": 2,
        "backoff": 0.005,
        "max_reply_bytes": 20_000,
    }
    return HttpTransport(**settings | changes)


def client(server: ChatServer | str, **changes: Any) -> OpenAiServer:
    """A client of the server with settings of its own and those of its transport."""
    limits = {name: changes.pop(name) for name in list(changes) if name in HttpTransport.__slots__}
    settings: dict[str, Any] = {
        "max_tokens": 64,
        "temperature": 0.0,
        "top_p": None,
        "seed": None,
        "picture_format": "png",
        "top_logprobs": 20,
    }
    url = server if isinstance(server, str) else server.url
    return OpenAiServer(url, "tiny", **settings | changes, transport=transport(**limits))


def numbered(count: int) -> list[Question]:
    """Questions that can be told apart, with a red picture."""
    return [Question(parts=(f"number {index}", RED)) for index in range(count)]


def ask_one(behave: Callable[[Asked], None], **settings: Any) -> tuple[Reply, int]:
    """What becomes of one question, and how often it was sent."""
    with ChatServer(behave) as server:
        vlm = client(server, **settings)
        (reply,) = vlm.ask(numbered(1))
        assert list(vlm.no_replies) == ([reply.reason] if isinstance(reply, NoReply) else [])
        return reply, len(server.asked)
