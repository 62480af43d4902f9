"""The client against real servers on this machine: good ones, and every kind of bad one."""

import asyncio
import gzip
import json
import math
import socket
import threading
import time

import pytest
from chat_server import RED, ChatServer, ask_one, client, completion, numbered, transport

from robo_reward.perception.vlm import NoReply, Question


def test_a_question_arrives_whole_and_its_reply_comes_back():
    with ChatServer(lambda asked: asked.answer(completion("Grüße"))) as server:
        vlm = client(server, temperature=0.1, top_p=0.9, seed=7, max_tokens=11, request={"top_k": 50})
        assert vlm.ask([Question(parts=("first ", RED, "second"))]) == ["Grüße"]
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.text == "first second"
    assert (asked.pictures[0] == RED.permute(1, 2, 0).numpy()).all()
    sent = {key: value for key, value in asked.json.items() if key != "messages"}
    assert sent == {"model": "tiny", "max_tokens": 11, "temperature": 0.1, "top_p": 0.9, "seed": 7, "top_k": 50}
    assert "Authorization" not in asked.headers


def test_replies_come_in_the_order_of_the_questions_however_long_each_takes():
    def behave(asked):
        number = int(asked.text.split()[1])
        time.sleep(0.002 * (number * 7 % 5))
        asked.answer(completion(f"reply {number}"))

    with ChatServer(behave) as server:
        assert client(server).ask(numbered(60)) == [f"reply {index}" for index in range(60)]


def test_questions_are_asked_at_the_same_time_but_no_more_than_allowed():
    four, lock, now, most = threading.Barrier(4, timeout=5), threading.Lock(), [0], [0]

    def behave(asked):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        four.wait()  # breaks, and with it the reply, where fewer are under way
        time.sleep(0.01)
        with lock:
            now[0] -= 1
        asked.answer(completion("yes"))

    with ChatServer(behave) as server:
        assert client(server, concurrency=4, read_timeout=10.0, deadline=20.0).ask(numbered(16)) == ["yes"] * 16
    assert most[0] == 4


def test_waiting_for_its_turn_costs_a_question_none_of_its_time():
    def behave(asked):
        time.sleep(0.1)
        asked.answer(completion("yes"))

    with ChatServer(behave) as server:
        assert client(server, concurrency=2, deadline=1.0, read_timeout=1.0).ask(numbered(30)) == ["yes"] * 30


def test_no_question_is_no_request():
    with ChatServer(lambda asked: asked.answer(completion("yes"))) as server:
        assert client(server).ask([]) == []
        assert client(server).choose([], ["yes", "no"]).shape == (0, 2)
    assert server.asked == []


def test_it_works_beside_an_event_loop_that_already_runs():
    async def notebook(vlm):
        return vlm.ask(numbered(2))

    with ChatServer(lambda asked: asked.answer(completion("yes"))) as server:
        assert asyncio.run(notebook(client(server))) == ["yes", "yes"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_asked_again(status):
    def behave(asked):
        asked.answer(b"busy", status=status) if asked.number < 2 else asked.answer(completion("yes"))

    assert ask_one(behave) == ("yes", 3)


@pytest.mark.parametrize("status", [429, 500])
def test_a_lasting_failure_is_asked_again_so_many_times_and_no_more(status):
    reply, sent = ask_one(lambda asked: asked.answer(b"still busy", status=status), retries=2)
    assert reply == NoReply(reason=f"HTTP status {status}", detail="still busy")
    assert sent == 3


@pytest.mark.parametrize("status", [201, 204, 301, 307, 400, 401, 404, 422])
def test_a_refusal_is_not_asked_again_and_a_redirect_not_followed(status):
    headers = [("location", "/v1/elsewhere")]
    reply, sent = ask_one(lambda asked: asked.answer(b"" if status == 204 else b"no", status=status, headers=headers))
    assert (reply.reason, sent) == (f"HTTP status {status}", 1)


def test_the_pause_that_a_server_asks_for_is_kept():
    began = time.monotonic()

    def behave(asked):
        if asked.number:
            asked.answer(completion("yes"))
        else:
            asked.answer(b"", status=429, headers=[("retry-after", "1")])

    assert ask_one(behave) == ("yes", 2)
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("said", ["3600", "-5", "nan", "Wed, 21 Oct 2099 07:28:00 GMT", "9" * 400, "²"])
def test_no_pause_outlasts_the_deadline(said):
    began = time.monotonic()
    headers = [("retry-after", said.encode("utf-8").decode("latin-1"))]
    reply, _ = ask_one(lambda asked: asked.answer(b"", status=429, headers=headers), deadline=1.0)
    assert reply.reason == "HTTP status 429"
    assert time.monotonic() - began < 1


def test_a_silent_server_is_asked_again_and_given_up():
    reply, sent = ask_one(lambda asked: time.sleep(0.4), read_timeout=0.1, retries=1)
    assert (reply, sent) == (NoReply(reason="the server is silent"), 2)


def drip_body(asked):
    asked.drip(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
    for _ in range(100):
        asked.drip(b"{")
        time.sleep(0.02)


def drip_head(asked):
    for byte in b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 100:
        asked.drip(bytes([byte]))
        time.sleep(0.02)


@pytest.mark.parametrize("behave", [drip_body, drip_head])
def test_a_server_that_drips_is_given_up_at_the_deadline(behave):
    began = time.monotonic()
    reply, sent = ask_one(behave, deadline=0.3)
    assert (reply, sent) == (NoReply(reason="no reply within the deadline"), 1)
    assert time.monotonic() - began < 1


def test_a_reply_that_stops_midway_is_not_asked_for_again():
    def behave(asked):
        asked.drip(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
        time.sleep(0.4)

    assert ask_one(behave, read_timeout=0.1) == (NoReply(reason="the reply stopped midway"), 1)


def test_a_refused_connection_is_no_reply():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    replies = client(url).ask(numbered(3))
    assert [reply.reason for reply in replies] == ["the connection failed: ConnectError"] * 3
    assert bool(client(url).choose(numbered(3), ["yes", "no"]).isnan().all())


def test_an_unknown_host_is_no_reply():
    (reply,) = client("http://no-such-host.invalid/v1").ask(numbered(1))
    assert isinstance(reply, NoReply)


def test_a_huge_reply_is_not_read_to_its_end():
    def behave(asked):
        asked.drip(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        for _ in range(1000):
            asked.drip(b" " * 100_000)

    assert ask_one(behave) == (NoReply(reason="the reply is longer than 20000 bytes"), 1)


def test_a_reply_of_exactly_the_longest_length_is_read():
    body = json.dumps(completion("yes")).encode().ljust(20_000)
    assert ask_one(lambda asked: asked.answer(body)) == ("yes", 1)
    assert ask_one(lambda asked: asked.answer(body + b" "))[0].reason == "the reply is longer than 20000 bytes"


def test_a_reply_in_chunks_or_until_the_server_hangs_up_is_read():
    body = json.dumps(completion("yes")).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:50], body[50:])) + b"0\r\n\r\n"
    chunked = b"HTTP/1.1 200 OK\r\ncontent-encoding: Identity\r\ntransfer-encoding: chunked\r\n\r\n" + chunks
    assert ask_one(lambda asked: asked.send_raw(chunked)) == ("yes", 1)
    assert ask_one(lambda asked: asked.send_raw(b"HTTP/1.0 200 OK\r\n\r\n" + body)) == ("yes", 1)


def test_a_compressed_reply_is_not_unpacked():
    body = gzip.compress(json.dumps(completion("yes")).encode())
    reply, _ = ask_one(lambda asked: asked.answer(body, headers=[("content-encoding", "gzip")]))
    assert reply.reason == "the reply is compressed although that was ruled out"


@pytest.mark.parametrize(
    "junk", [b"", b"\x00\xff" * 40, b"HTTP/1.1 two hundred\r\n\r\n", b"HTTP/1.1 200 OK\r\n: :\r\n\r\n"]
)
def test_what_is_not_http_is_no_reply_and_not_asked_again(junk):
    reply, sent = ask_one(lambda asked: asked.send_raw(junk))
    assert reply.reason == "the connection failed: RemoteProtocolError"
    assert sent == 1


def test_the_key_is_sent_and_shown_nowhere(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "sk-secret\n")
    body = b"Incorrect key provided: sk-secret"
    with ChatServer(lambda asked: asked.answer(body, status=401)) as server:
        vlm = client(server, api_key_variable="SOME_KEY")
        (reply,) = vlm.ask(numbered(1))
    assert server.asked[0].headers["authorization"] == "Bearer sk-secret"
    assert reply == NoReply(reason="HTTP status 401", detail="Incorrect key provided: ***")
    assert "secret" not in vlm.version + repr(vlm) + repr(vars(vlm))


@pytest.mark.parametrize("key", [None, "", "two words", "schlüssel", "a\nb"])
def test_a_key_that_is_none_is_refused_at_the_door_and_not_shown(monkeypatch, key):
    monkeypatch.delenv("SOME_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(ValueError, match=r"SOME_KEY \(api_key_variable\)") as refused:
        client("http://127.0.0.1:1/v1", api_key_variable="SOME_KEY")
    assert not key or key not in str(refused.value)


def test_the_version_tells_what_is_asked_for_and_not_where():
    base = client("http://127.0.0.1:1/v1").version
    assert base == client("http://127.0.0.1:2/v1", deadline=9.0).version
    changes = [{"temperature": 0.5}, {"max_tokens": 5}, {"top_p": 0.5}, {"seed": 1}, {"picture_format": "jpeg"}]
    changes += [{"request": {"top_k": 1}}, {"top_logprobs": 5}]
    assert len({base, *(client("http://127.0.0.1:1/v1", **change).version for change in changes)}) == 1 + len(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_logprobs": 0}, "top_logprobs"),
        ({"request": {"n": 2}}, r"\['n'\]"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        client("http://127.0.0.1:1/v1", **change)


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://a/v1", "http://", "http://me:pw@a/v1", "http://a/v1?key=1", "http://a/v1#b"]
)
def test_a_url_that_is_none_or_holds_a_secret_is_refused(url):
    with pytest.raises(ValueError, match="url must"):
        client(url)


@pytest.mark.parametrize("name", ["concurrency", "connect_timeout", "read_timeout", "deadline", "backoff"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_limits_must_limit(name, value):
    if name == "concurrency" and not math.isfinite(value):
        return
    with pytest.raises(ValueError, match=f"{name} must be > 0"):
        transport(**{name: value})


def test_retries_may_be_none_but_not_fewer():
    assert transport(retries=0).retries == 0
    with pytest.raises(ValueError, match="retries"):
        transport(retries=-1)
