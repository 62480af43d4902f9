"""Replies kept on disk by what was asked, so that no question is paid for twice and none is answered in two ways."""

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float64
from torch import Tensor

from robo_reward.errors import OutputError
from robo_reward.perception.cache_folder import cache_folder
from robo_reward.perception.vlm import Question, Reply, VisionLanguageModel, check_choices

_AT_ONCE = 256  # questions between two savings: what is lost at most when the process is killed


@final
class CachedVlm:
    """A vision-language model that is asked each question once.

    Replies are kept by the hash of the model's version and the question's words and pixels, one small file each, which
    appears whole or not at all; several processes may share the folder. Failures are not kept: such a question is asked
    again. A file that is not what was kept counts as absent and is replaced. Within one call equal questions are asked
    once. A server whose replies vary from call to call thus still gives one reward per frame, online and recorded.

    Args:
        model: Who is asked.
        folder: Where; None = `$XDG_CACHE_HOME/robo_reward/replies`, usually under `~/.cache`.
    """

    def __init__(self, model: VisionLanguageModel, folder: str | Path | None = None) -> None:
        self._model = model
        self.folder = cache_folder("replies") if folder is None else Path(folder).expanduser()

    @property
    def model(self) -> VisionLanguageModel:
        """Who is asked."""
        return self._model

    @property
    def version(self) -> str:
        """The model's own: its replies are the same."""
        return self._model.version

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Give each question's reply, in the order of the questions.

        Raises:
            OutputError: The folder cannot be written, or the disk is full.
        """
        keys = [self._key("ask", question) for question in questions]
        replies: dict[str, Reply] = dict(self._kept(keys, _is_text))
        for new in _parts({key: each for key, each in zip(keys, questions, strict=True) if key not in replies}):
            for key, reply in zip(new, self._model.ask(list(new.values())), strict=True):
                replies[key] = reply
                if isinstance(reply, str):
                    self._keep(key, reply)
        return [replies[key] for key in keys]

    def choose(self, questions: Sequence[Question], choices: Sequence[str]) -> Float64[Tensor, "question choice"]:
        """Give the probability that a reply begins with each choice; NaN where it is not to be had.

        Raises:
            ValueError: No choice, an empty one, or two that are the same word.
            OutputError: The folder cannot be written, or the disk is full.
        """
        words = check_choices(choices)
        keys = [self._key(f"choose {json.dumps(words)}", question) for question in questions]
        rows: dict[str, list[float]] = dict(self._kept(keys, lambda row: _is_probabilities(row, len(words))))
        for new in _parts({key: each for key, each in zip(keys, questions, strict=True) if key not in rows}):
            for key, row in zip(new, self._model.choose(list(new.values()), words).tolist(), strict=True):
                rows[key] = row
                if _is_probabilities(row, len(words)):
                    self._keep(key, row)
        return torch.tensor([rows[key] for key in keys], dtype=torch.float64).reshape(len(keys), len(words))

    def _key(self, kind: str, question: Question) -> str:
        return sha256(f"{kind}\n{self._model.version}\n{question.fingerprint}".encode()).hexdigest()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def _kept(self, keys: Sequence[str], sound: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
        for key in dict.fromkeys(keys):
            try:
                kept = json.loads(self._path(key).read_text(encoding="utf-8"))
            except (OSError, ValueError, RecursionError):  # absent or damaged: asked (again)
                continue
            if isinstance(kept, dict) and kept.get("check") == _check(key, kept.get("reply")) and sound(kept["reply"]):
                yield key, kept["reply"]

    def _keep(self, key: str, reply: str | list[float]) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, json.dumps({"reply": reply, "check": _check(key, reply)}).encode())
        except OSError as error:
            raise OutputError(
                f"replies cannot be kept in {self.folder}: {error}; choose another folder, or ask without a cache"
            ) from error


def _parts(questions: dict[str, Question]) -> Iterator[dict[str, Question]]:
    items = list(questions.items())
    for start in range(0, len(items), _AT_ONCE):
        yield dict(items[start : start + _AT_ONCE])


def _check(key: str, reply: object) -> str:
    return sha256(f"{key}{json.dumps(reply)}".encode()).hexdigest()


def _is_text(reply: object) -> bool:
    return isinstance(reply, str) and bool(reply)


def _is_probabilities(row: object, num_choices: int) -> bool:
    if not isinstance(row, list) or len(row) != num_choices:
        return False
    return all(isinstance(each, float) and math.isfinite(each) and 0 <= each <= 1 for each in row)


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem[:8], suffix=".unfinished")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


_: type[VisionLanguageModel] = CachedVlm  # the type checker holds the protocol
