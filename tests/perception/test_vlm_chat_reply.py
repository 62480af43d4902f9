"""Replies of a server that are whole as HTTP goes: read where they are as agreed, and only there."""

import json
import math

import pytest
from chat_server import ChatServer, ask_one, client, completion, first_token, numbered

from robo_reward.perception.vlm import NoReply


def changed(**changes):
    good = completion("yes")
    good["choices"][0] |= changes
    return good


MALFORMED = {
    "not JSON": b"yes",
    "cut JSON": json.dumps(completion("yes")).encode()[:-1],
    "nothing": b"",
    "brackets without end": b"[" * 9000,
    "a number of many digits": b"1" * 9000,
    "not UTF-8": json.dumps(completion("y\u00e9s"), ensure_ascii=False).encode("latin-1"),
    "NaN": json.dumps(completion("yes") | {"created": math.nan}).encode(),
    "another object": {"error": {"message": "overloaded"}},
    "a list": b"[]",
    "no choices": {**completion("yes"), "choices": []},
    "choices that are a table": {**completion("yes"), "choices": {"0": {}}},
    "two choices": {**completion("yes"), "choices": completion("yes")["choices"] * 2},
    "a choice that is text": {**completion("yes"), "choices": ["yes"]},
    "no message": changed(message=None),
    "a message of the user": changed(message={"role": "user", "content": "yes"}),
    "content of parts": changed(message={"role": "assistant", "content": [{"type": "text", "text": "yes"}]}),
    "content that is a number": changed(message={"role": "assistant", "content": 1}),
    "no content": changed(message={"role": "assistant", "content": None, "reasoning_content": "yes"}),
    "empty content": completion("  \n"),
    "a refusal": changed(message={"role": "assistant", "content": "yes", "refusal": "I cannot"}),
    "half a character": changed(message={"role": "assistant", "content": "yes \ud800"}),
    "cut at max_tokens": completion("yes", finish_reason="length"),
    "filtered": completion("yes", finish_reason="content_filter"),
    "unfinished": changed(finish_reason=None),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_reply_is_none_and_not_asked_for_again(body):
    reply, sent = ask_one(lambda asked: asked.answer(body))
    assert isinstance(reply, NoReply)
    assert sent == 1


def chosen(body, choices=("yes", "no")):
    with ChatServer(lambda asked: asked.answer(body)) as server:
        vlm = client(server, temperature=0.7, request={"top_k": 5})
        found = vlm.choose(numbered(1), choices)
        assert len(server.asked) == 1
        assert sum(vlm.no_replies.values()) == int(found.isnan().any())
    return server.asked[0].json, found[0].tolist()


def test_token_probabilities_are_asked_for_and_read():
    asked, found = chosen(first_token({"Yes": math.log(0.5), "no": math.log(0.3), " yes": math.log(0.1), "?": -5.0}))
    assert found == pytest.approx([0.6, 0.3], abs=1e-12)
    assert (asked["logprobs"], asked["top_logprobs"], asked["max_tokens"], asked["temperature"]) == (True, 20, 1, 0)


def test_a_choice_that_is_not_listed_counts_only_where_it_hardly_can():
    _, found = chosen(first_token({"yes": math.log(0.99), "maybe": math.log(0.002)}))
    assert found == pytest.approx([0.99, 0.001])  # at most 0.002, the least one listed: half of it
    _, found = chosen(first_token({"yes": math.log(0.6), "maybe": math.log(0.2)}))
    assert all(math.isnan(each) for each in found)  # no may have up to 0.2
    _, found = chosen(first_token({"<think>": -0.01, "Well": -6.0}))
    assert all(math.isnan(each) for each in found)


def with_tokens(*top):
    good = first_token({"yes": -0.5, "no": -1.5})
    good["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = list(top)
    return good


YES, NO = {"token": "yes", "logprob": -0.5}, {"token": "no", "logprob": -1.5}
NO_PROBABILITIES = {
    "a server that gives none": completion("yes"),
    "an empty list": with_tokens(),
    "text for a number": with_tokens(YES, {**NO, "logprob": "-1.5"}),
    "false for a number": with_tokens({**YES, "logprob": False}),
    "above 1": with_tokens(YES, {**NO, "logprob": 0.1}),
    "infinity": json.dumps(with_tokens(YES, {**NO, "logprob": -math.inf})).encode(),
    "more than a float holds": json.dumps(with_tokens(YES, NO)).replace("-1.5", "-" + "1" * 400).encode(),
    "more than 1 together": with_tokens({**YES, "logprob": -0.1}, {**NO, "logprob": -0.1}),
    "a token twice": with_tokens({**YES, "logprob": -2.0}, NO, NO),
    "a number for a token": with_tokens(YES, {**NO, "token": 5}),
    "tokens without table": with_tokens("yes", "no"),
    **{
        name: body for name, body in MALFORMED.items() if not ({name} & {"unfinished", "filtered", "cut at max_tokens"})
    },
}


@pytest.mark.parametrize("body", NO_PROBABILITIES.values(), ids=NO_PROBABILITIES)
def test_malformed_probabilities_are_a_row_of_nan(body):
    _, found = chosen(body)
    assert all(math.isnan(each) for each in found)


def test_one_bad_row_leaves_the_others_alone():
    def behave(asked):
        bad = asked.text == "number 1"
        asked.answer(b"{" if bad else first_token({"yes": math.log(0.75), "no": math.log(0.25)}))

    with ChatServer(behave) as server:
        found = client(server).choose(numbered(3), ["yes", "no"])
    assert found.isnan().any(dim=-1).tolist() == [False, True, False]
    assert found[2].tolist() == pytest.approx([0.75, 0.25])
