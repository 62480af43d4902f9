"""Reads what a chat-completions server sent: a reply that is whole and as agreed, or why it is none."""

import json
import math
from collections.abc import Sequence
from typing import Any

from robo_reward.perception.vlm import NoReply, Reply, normalised

UNLISTED = 0.01
"""A choice that is not among the listed tokens is left out of account below this share of the listed choices."""


class MalformedReplyError(ValueError):
    """What came is not what was agreed; says what."""


def reply_text(body: bytes) -> Reply:
    """Give the text of a chat completion.

    One choice, ended by the model itself (`finish_reason` "stop") and not by a limit or a filter, with a text in it.

    Returns:
        The text, or why there is none; never an exception.
    """
    try:
        choice = _only_choice(body)
        if choice.get("finish_reason") != "stop":
            raise MalformedReplyError("the reply was cut or filtered: finish_reason is not 'stop'")
        return _text(choice)
    except MalformedReplyError as error:
        return NoReply(reason=str(error))


def choice_probabilities(body: bytes, choices: Sequence[str]) -> tuple[float, ...] | NoReply:
    """Give the probability of each choice to be the first token of a chat completion.

        P(choice) = Σ exp(logprob) over the listed tokens that are the choice but for white space and case

    A server lists the likeliest tokens only. A choice it does not list has at most the probability of the least likely
    one listed, and at most what is left of 1. Where that is below 1 % of the listed choices together the choice gets
    half of it, its middle; otherwise nothing is known.

    Args:
        body: A reply that was asked for with `logprobs` and `top_logprobs`.
        choices: As `check_choices` gives them.

    Returns:
        Probabilities in [0, 1], or why there are none; never an exception.
    """
    try:
        listed = _listed_tokens(_only_choice(body))
    except MalformedReplyError as error:
        return NoReply(reason=str(error))
    found = [[p for token, p in listed.items() if normalised(token) == choice] for choice in choices]
    together = sum(sum(each) for each in found)
    most = min(*listed.values(), max(0.0, 1 - sum(listed.values())))
    if not any(found) or (not all(found) and most > UNLISTED * together):
        return NoReply(reason="the choices are not among the likeliest tokens")
    return tuple(min(1.0, sum(each)) if each else most / 2 for each in found)


def _only_choice(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:  # brackets in brackets in brackets
        raise MalformedReplyError("the reply is not JSON") from None
    except ValueError:  # UnicodeDecodeError, JSONDecodeError, numbers of thousands of digits
        raise MalformedReplyError("the reply is not JSON") from None
    choices = content.get("choices") if isinstance(content, dict) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise MalformedReplyError("the reply is no chat completion of one choice")
    return choices[0]


def _text(choice: dict[str, Any]) -> str:
    message = choice.get("message")
    if not isinstance(message, dict) or message.get("role") != "assistant":
        raise MalformedReplyError("the reply holds no message of the assistant")
    if message.get("refusal"):
        raise MalformedReplyError("the model refuses")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip():
        raise MalformedReplyError("the reply holds no text")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # JSON can spell halves of characters; files and terminals cannot
            raise MalformedReplyError("the text is not Unicode") from None
    return text


def _listed_tokens(choice: dict[str, Any]) -> dict[str, float]:
    """The likeliest first tokens and their probabilities."""
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        raise MalformedReplyError("the server gives no token probabilities")
    top = content[0].get("top_logprobs")
    if not isinstance(top, list) or not top:
        raise MalformedReplyError("the server gives no token probabilities")
    listed: dict[str, float] = {}
    for entry in top:
        token, probability = _token(entry)
        if token in listed and normalised(token).isalnum():
            raise MalformedReplyError("a token is listed twice")  # bytes of a character may look alike, words do not
        listed[token] = listed.get(token, 0.0) + probability
    if sum(listed.values()) > 1.001:
        raise MalformedReplyError("token probabilities add up to more than 1")
    return listed


def _token(entry: object) -> tuple[str, float]:
    token, logprob = (entry.get("token"), entry.get("logprob")) if isinstance(entry, dict) else (None, None)
    if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
        raise MalformedReplyError("a token probability is malformed")
    if not -1e6 < logprob <= 1e-3:  # also NaN, infinity, and integers that no float holds
        raise MalformedReplyError("a token probability is malformed")
    return token, math.exp(min(logprob, 0.0))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
