"""Replies that are wrong by construction, of every kind that a seed can choose."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from chat_server import Asked, completion

BAD_TEXT = [
    "",
    "abc",
    "12",
    "<score></score>",
    "<score>abc</score>",
    "<score>+NN%</score>",
    "<score>+12",
    "<score>+12%",
    "<score>+12%</scor",
    "</score>+12%<score>",
    "<score>+-3%</score>",
    "<score>+ </score>",
    "<score>%</score>",
    "<score>1e2%</score>",
    "<score>nan%</score>",
    "<score>inf%</score>",
    "<score>0x10%</score>",
    "<score>+12% or +15%</score>",
    "<score>+12%%</score>",
    "<score>.5%</score>",
    "<score>1,5%</score>",
    "<score>١٢%</score>",
    "<score>" + "9" * 400 + "%</score>",
    "<score>+10%</score> and <score>unsure</score>",
    "+12% closer",
    "about 12%",
    "0",
    "I cannot help with that.",
]
WRONG: list[Any] = [None, 7, -1.5, True, "x", [], {}, [[]], [None], {"a": 1}, ["<score>+12%</score>"]]


def misbehave(asked: Asked, *, seed: int) -> None:
    """Answer badly, in a way that the seed chooses."""
    chance = random.Random(seed)
    chance.choice(WAYS)(asked, chance)


def _bad_text(asked: Asked, chance: random.Random) -> None:
    asked.answer(completion(chance.choice(BAD_TEXT)))


def _bad_characters(asked: Asked, chance: random.Random) -> None:
    text = "".join(
        chr(chance.choice([*range(1, 48), *range(58, 0xD800), *range(0xE000, 0x10FFFF, 97)])) for _ in range(30)
    )
    asked.answer(completion(f"<score>{text}</score>"))


def _wrong_value(asked: Asked, chance: random.Random) -> None:
    """Put something of another type, or nothing, where something that matters stood."""
    body = _essential()
    holder, key = chance.choice(_places(body))
    wrong = chance.choice([each for each in WRONG if type(each) is not type(holder[key])])
    if chance.random() < 0.3 and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = copy.deepcopy(wrong)
    asked.answer(body)


def _inserted_byte(asked: Asked, chance: random.Random) -> None:
    body = bytearray(json.dumps(_essential(), separators=(",", ":")).encode())
    beside_the_score = {body.index(b"<score>"), body.index(b"</score>") + len(b"</score>")}  # words may stand there
    places = [place for place in range(len(body) + 1) if place not in beside_the_score]
    body.insert(chance.choice(places), chance.choice(b'\x00\xff{}[],:"'))
    asked.answer(bytes(body))


def _cut(asked: Asked, chance: random.Random) -> None:
    body = json.dumps(_essential()).encode()
    asked.answer(body[: chance.randrange(len(body))])


def _noise(asked: Asked, chance: random.Random) -> None:
    asked.answer(chance.randbytes(chance.randrange(200)))


def _nested(asked: Asked, chance: random.Random) -> None:
    asked.answer(chance.choice([b"[", b'{"choices":[', b'{"a":']) * chance.randrange(500, 1500))


def _long(asked: Asked, _: random.Random) -> None:
    asked.answer(json.dumps(_essential()).encode() + b" " * 20_000)


def _finish(asked: Asked, chance: random.Random) -> None:
    asked.answer(
        completion("<score>+12%</score>", finish_reason=chance.choice(["length", "content_filter", "", "STOP"]))
    )


def _status(asked: Asked, chance: random.Random) -> None:
    status = chance.choice([201, 202, 204, 206, 301, 302, 307, 400, 401, 403, 404, 413, 422, 429, 500, 502, 503, 504])
    body = b"" if status == 204 else json.dumps(_essential()).encode()  # a good body under a bad status
    asked.answer(body, status=status, headers=[("location", "/v1/chat/completions")])


def _not_http(asked: Asked, chance: random.Random) -> None:
    good = json.dumps(_essential()).encode()
    heads = [
        b"",
        b"HTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 5000 + b"\r\n\r\n",
        chance.randbytes(40),
    ]
    asked.send_raw(chance.choice(heads) + good)


WAYS: list[Callable[[Asked, random.Random], None]] = [
    _bad_text,
    _bad_characters,
    _wrong_value,
    _inserted_byte,
    _cut,
    _noise,
    _nested,
    _long,
    _finish,
    _status,
    _not_http,
]


def _essential() -> dict[str, Any]:
    """A good reply of nothing but what is read."""
    message = {"role": "assistant", "content": "<score>+12%</score>"}
    return {"choices": [{"message": message, "finish_reason": "stop"}]}


def _places(body: dict[str, Any]) -> list[tuple[Any, Any]]:
    choice = body["choices"][0]
    message = choice["message"]
    return [
        (body, "choices"),
        (body["choices"], 0),
        (choice, "message"),
        (choice, "finish_reason"),
        (message, "role"),
        (message, "content"),
    ]
