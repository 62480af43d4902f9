"""What a vision-language model is to this project: questions of words and pictures in, replies or their absence out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

Picture = UInt8[Tensor, "3 _height _width"]
"""An RGB picture, 8 bits per channel, channels first; every picture may have its own size."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Question:
    """One message to a vision-language model: words and pictures in the order in which it sees them.

    Raises:
        ValueError: No part, an empty text, or a picture that is not (3, height, width).
        TypeError: A part that is neither text nor tensor, or pixels that are not uint8.
    """

    parts: tuple[str | Picture, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a question needs at least one part; parts is empty")
        for part in self.parts:
            _check_part(part)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures among the parts, in order."""
        return tuple(part for part in self.parts if isinstance(part, Tensor))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all parts, pixels included; 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for part in self.parts:
            if isinstance(part, str):
                head, content = "text", part.encode()
            else:
                head, content = f"picture {tuple(part.shape)}", part.cpu().contiguous().numpy().tobytes()
            digest.update(f"{head} {len(content)}\n".encode())  # lengths first: no two lists of parts run together
            digest.update(content)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReply:
    """Why a question has no reply that can be trusted; never a reply of its own."""

    reason: str
    """In our words, from a small set, so that reasons can be counted."""
    detail: str = ""
    """What the other side said, cut short; empty where it said nothing."""


Reply = str | NoReply
"""The text of a reply, or why there is none."""


@runtime_checkable
class VisionLanguageModel(Protocol):
    """Answers questions about pictures.

    What goes wrong on the other side, whatever it is, is a `NoReply` or a row of NaN and no exception: whoever makes
    rewards of replies then abstains.
    """

    @property
    def version(self) -> str:
        """Model and sampling settings: everything but the question that a reply depends on."""
        ...

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Give each question's reply, in the order of the questions."""
        ...

    def choose(self, questions: Sequence[Question], choices: Sequence[str]) -> Float64[Tensor, "question choice"]:
        """Give the probability that a reply begins with each choice.

        A choice stands for every token that is the choice but for white space around it and its case: "yes", " Yes".
        Probabilities are of the next token among all tokens: a row adds up to 1 at most, usually to less.

        Args:
            questions: Any number.
            choices: Words of one token each, different even if case is ignored.

        Returns:
            Probabilities in [0, 1]; a row of NaN where they are not to be had.

        Raises:
            ValueError: No choice, an empty one, or two that are the same word.
        """
        ...


def normalised(choice: str) -> str:
    """Strip what does not make another choice: white space around it, and case.

    Example:
        >>> normalised(" Yes")
        'yes'
    """
    return choice.strip().casefold()


def check_choices(choices: Sequence[str]) -> tuple[str, ...]:
    """Give the choices as `normalised` has them.

    Raises:
        ValueError: No choice, an empty one, or two that are the same word.
    """
    words = () if isinstance(choices, str) else tuple(normalised(choice) for choice in choices)
    if not words or not all(words) or len(set(words)) < len(words):
        raise ValueError(f"choices must be a list of different words, such as ['yes', 'no']; got {choices!r}")
    return words


def no_probabilities(num_questions: int, num_choices: int) -> Float64[Tensor, "question choice"]:
    """Give what `choose` gives where nothing is known: NaN."""
    return torch.full((num_questions, num_choices), float("nan"), dtype=torch.float64)


def _check_part(part: object) -> None:
    if isinstance(part, str):
        if not part:
            raise ValueError("a text of a question is empty")
        return
    if not isinstance(part, Tensor):
        raise TypeError(f"parts of a question are texts and picture tensors, got {type(part).__name__}")
    if part.dtype != torch.uint8:
        raise TypeError(f"pictures of a question must be uint8 RGB, got {part.dtype}")
    if part.ndim != 3 or part.shape[0] != 3 or 0 in part.shape:
        raise ValueError(f"pictures of a question must be (3, height, width), got {tuple(part.shape)}")
