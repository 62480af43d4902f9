"""Vision-language models behind an OpenAI-compatible server: vLLM, SGLang, or a hosted one."""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final
from urllib.parse import urlsplit

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.perception.vlm import NoReply, Question, Reply, VisionLanguageModel, check_choices, no_probabilities
from robo_reward.perception.vlm_chat_reply import choice_probabilities, reply_text
from robo_reward.perception.vlm_pictures import PictureFormat, data_url
from robo_reward.perception.vlm_transport import HttpTransport

_OURS = {"model", "messages", "max_tokens", "temperature", "top_p", "seed", "n", "stream", "logprobs", "top_logprobs"}


@final
class OpenAiServer:
    """Asks a chat-completions server; pictures travel inside the messages.

    Why questions had no reply is counted in `no_replies`. `version` holds what the server is asked for, not where it
    stands: serve another checkpoint under another name.

    Args:
        url: Base of the interface, such as http://localhost:8000/v1.
        model: Name under which the server knows the model.
        max_tokens: Longest reply [token]; a longer one counts as none.
        temperature: 0 = the likeliest token, always.
        top_p: Share of the probability that is sampled from, in (0, 1]; None = the server's own.
        seed: For the server's sampling; None = none.
        picture_format: "png" (exact) or "jpeg".
        top_logprobs: How many likeliest tokens `choose` asks for; servers allow 20 unless told otherwise.
        transport: Limits of time, size and number.
        api_key_variable: Environment variable that holds the key; None = no key.
        request: Further fields of each request as the server documents them, such as top_k of vLLM.

    Raises:
        ValueError: A URL that is not http(s) or that holds a password or query, a setting out of its range, a variable
            that is not set, a field of `request` that has an argument here.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        max_tokens: int,
        temperature: float,
        top_p: float | None,
        seed: int | None,
        picture_format: PictureFormat,
        top_logprobs: int,
        transport: HttpTransport,
        api_key_variable: str | None = None,
        request: Mapping[str, Any] | None = None,
    ) -> None:
        self._url = _checked_url(url)
        if not model.strip():
            raise ValueError("model must name what the server serves, got an empty name")
        if max_tokens < 1 or not 0 <= temperature <= 2 or not (top_p is None or 0 < top_p <= 1):
            raise ValueError(
                "max_tokens must be >= 1, temperature in [0, 2], top_p in (0, 1] or null; "
                f"got {max_tokens}, {temperature}, {top_p}"
            )
        if not 1 <= top_logprobs <= 1000:
            raise ValueError(f"top_logprobs must be in [1, 1000], got {top_logprobs}")
        if picture_format not in ("png", "jpeg"):
            raise ValueError(f"picture_format must be png or jpeg, got {picture_format!r}")
        if doubled := sorted(_OURS & set(request or {})):
            raise ValueError(f"request must not hold {doubled}: these have arguments of their own, or must not change")
        self._model, self._sampling = model, {"max_tokens": max_tokens, "temperature": temperature}
        self._sampling |= {k: v for k, v in {"top_p": top_p, "seed": seed}.items() if v is not None}
        self._picture_format: PictureFormat = picture_format
        self._request, self._top_logprobs = dict(request or {}), top_logprobs
        self._transport, self._api_key_variable = transport, api_key_variable
        self._api_key()  # refuses a variable that is not set at the door
        self.no_replies: Counter[str] = Counter()

    @property
    def version(self) -> str:
        """Model, sampling and picture format; neither the server's address nor its key."""
        settings = self._sampling | self._request
        settings |= {"picture_format": self._picture_format, "top_logprobs": self._top_logprobs}
        return f"openai {self._model} {json.dumps(settings, sort_keys=True)}"

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Give each question's reply, in the order of the questions.

        Takes `deadline` seconds for each round of `concurrency` questions at most.
        """
        bodies = self._post(questions, self._sampling)
        replies = [body if isinstance(body, NoReply) else reply_text(body) for body in bodies]
        self.no_replies.update(reply.reason for reply in replies if isinstance(reply, NoReply))
        return replies

    def choose(self, questions: Sequence[Question], choices: Sequence[str]) -> Float64[Tensor, "question choice"]:
        """Give the probability that a reply begins with each choice, from the server's token probabilities.

        Raises:
            ValueError: No choice, an empty one, or two that are the same word.
        """
        words = check_choices(choices)
        first_token = {"max_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": self._top_logprobs}
        probabilities = no_probabilities(len(questions), len(words))
        for row, body in enumerate(self._post(questions, first_token)):
            found = body if isinstance(body, NoReply) else choice_probabilities(body, words)
            if isinstance(found, NoReply):
                self.no_replies[found.reason] += 1
            else:
                probabilities[row] = torch.tensor(found, dtype=torch.float64)
        return probabilities

    def _post(self, questions: Sequence[Question], sampling: Mapping[str, Any]) -> list[bytes | NoReply]:
        bodies = [self._body(question, sampling) for question in questions]
        return self._transport.post_all(self._url, bodies, secret=self._api_key()) if bodies else []

    def _body(self, question: Question, sampling: Mapping[str, Any]) -> Callable[[], bytes]:
        def body() -> bytes:
            content = [_part(part, self._picture_format) for part in question.parts]
            messages = [{"role": "user", "content": content}]
            return json.dumps({**self._request, "model": self._model, "messages": messages, **sampling}).encode()

        return body

    def _api_key(self) -> str | None:
        """Read the key when it is needed: it is part of no setting, version or printed object."""
        if self._api_key_variable is None:
            return None
        key = os.environ.get(self._api_key_variable, "").strip()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(
                f"the environment variable {self._api_key_variable} (api_key_variable) must hold a key in printable "
                "ASCII without spaces; it is not set, or holds something else"
            )
        return key


def _part(part: str | Tensor, picture_format: PictureFormat) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": data_url(part, picture_format=picture_format)}}


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url must be like http://localhost:8000/v1, got {url!r}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("url must hold no user, password, query or fragment; give a key by api_key_variable")
    return url.rstrip("/") + "/chat/completions"


_: type[VisionLanguageModel] = OpenAiServer  # the type checker holds the protocol
