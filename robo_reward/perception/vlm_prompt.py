"""Prompts as text files: words, fields to fill in, and slots where pictures go."""

import re
import string
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import final

from robo_reward.perception.vlm import NoReply, Picture, Question

PROMPTS = Path(__file__).parent / "prompts"
SLOTS = ("start", "goal", "before", "after", "frames")
_SLOT = re.compile(rf"<({'|'.join(SLOTS)})(?::([^<>\n]+))?>")
Views = Mapping[str, Picture]
"""What the cameras saw at one moment: camera name to picture; a camera that saw nothing is not in it."""


@final
class PromptTemplate:
    """Turns a text with fields and picture slots into questions.

    - `{task}`, `{comparison}` … are filled in with words; braces that are meant are doubled, as in Python.
    - `<start>`, `<goal>`, `<before>`, `<after>`, `<frames>` each become the pictures of all cameras that saw something,
      each behind its label: `camera front:`, or `moment 2 of 5, camera front:` where the slot shows several moments.
    - `<before:front>` becomes that camera's pictures alone, without label: for checkpoints that were trained on a fixed
      order of pictures and a wording of their own. Where that camera saw nothing the question cannot be asked.

    Words that are filled in are never searched for slots or fields. One newline at the end of the text is dropped.

    Args:
        text: The template.
        fields: Names of the fields that are filled in; each must occur.
        slots: Slots that must occur; others may where whoever renders has pictures for them.

    Raises:
        ValueError: A field or slot that is missing, a field that nobody fills in, braces without a partner.
    """

    def __init__(self, text: str, *, fields: Collection[str], slots: Collection[str]) -> None:
        self.text = text.removesuffix("\n")
        self._segments = _SLOT.split(self.text)  # text, slot, camera, text, slot, camera, …, text
        self._fields = frozenset(fields)
        found = {name for segment in self._segments[::3] for name in self._fields_of(segment)}
        self.slots = frozenset(self._segments[1::3])
        if missing := sorted(self._fields - found):
            raise ValueError(f"the template lacks {{{'}, {'.join(missing)}}}")
        if missing := sorted(set(slots) - self.slots):
            raise ValueError(f"the template lacks <{'>, <'.join(missing)}>; it has {sorted(self.slots)}")

    @classmethod
    def read(cls, path: str | Path, *, fields: Collection[str], slots: Collection[str]) -> "PromptTemplate":
        """Read a template from a file, or by name (`success`) from those that come with the project.

        Raises:
            ValueError: As the constructor, with the file named; text that is not UTF-8.
            FileNotFoundError: No such file.
        """
        ours = {file.stem: file for file in PROMPTS.glob("*.txt")}
        file = ours.get(str(path), Path(path).expanduser())
        if not file.is_file():
            raise FileNotFoundError(f"there is no prompt template {file}; those of the project: {sorted(ours)}")
        try:
            return cls(file.read_text(encoding="utf-8"), fields=fields, slots=slots)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error

    @property
    def version(self) -> str:
        """Hash of the text."""
        return sha256(self.text.encode()).hexdigest()[:16]

    def render(
        self, *, fields: Mapping[str, str] | None = None, pictures: Mapping[str, Sequence[Views]] | None = None
    ) -> Question | NoReply:
        """Make a question.

        Args:
            fields: Words for each field.
            pictures: For each slot the moments it shows, oldest first.

        Returns:
            The question, or a `NoReply` where a slot has no picture to show.

        Raises:
            ValueError: Other fields than the template's, or a slot that nobody has pictures for.
        """
        words, moments = dict(fields or {}), dict(pictures or {})
        if set(words) != self._fields:
            raise ValueError(f"the template has fields {sorted(self._fields)}, got words for {sorted(words)}")
        if nobody := sorted(self.slots - set(moments)):
            raise ValueError(f"the template shows <{'>, <'.join(nobody)}>, there are pictures for {sorted(moments)}")
        parts: list[str | Picture] = []
        for index in range(0, len(self._segments), 3):
            parts.append(self._segments[index].format_map(words))
            if index + 1 < len(self._segments):
                slot, camera = self._segments[index + 1 : index + 3]
                shown = _labelled(moments[slot]) if camera is None else _alone(moments[slot], camera)
                if not shown:
                    return NoReply(reason=f"no camera has a picture for <{slot}>")
                parts += shown
        return Question(parts=tuple(_joined(parts)))

    def _fields_of(self, segment: str) -> list[str]:
        try:
            parsed = list(string.Formatter().parse(segment))
        except ValueError as error:
            raise ValueError(f"braces that are no field must be doubled ({error})") from error
        names = []
        for _, name, form, conversion in parsed:
            if name is None:
                continue
            if name not in self._fields or form or conversion:
                raise ValueError(f"unknown field {{{name}}}; allowed: {sorted(self._fields)}; braces are doubled")
            names.append(name)
        return names


def _labelled(moments: Sequence[Views]) -> list[str | Picture]:
    parts: list[str | Picture] = []
    for number, views in enumerate(moments, start=1):
        moment = f"moment {number} of {len(moments)}, " if len(moments) > 1 else ""
        for camera, picture in views.items():
            parts += [f"{moment}camera {camera}: ", picture, "\n"]
    if parts:
        parts.pop()  # the template's own line goes on
    return parts


def _alone(moments: Sequence[Views], camera: str) -> list[str | Picture]:
    """That camera's pictures; none unless it saw every moment: an order that was learnt has no gaps."""
    seen = [views[camera] for views in moments if camera in views]
    return [*seen] if len(seen) == len(moments) else []


def _joined(parts: Sequence[str | Picture]) -> list[str | Picture]:
    """Join neighbouring texts and leave empty ones out."""
    joined: list[str | Picture] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif not isinstance(part, str) or part:
            joined.append(part)
    return joined
