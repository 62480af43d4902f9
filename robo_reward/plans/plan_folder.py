"""A folder that keeps a plan with all that it was made from, so that a run can be repeated and audited."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from PIL import Image

from robo_reward.errors import OutputError
from robo_reward.perception.vlm import NoReply, Picture, Reply
from robo_reward.plans.plan_file import read_plan, write_plan, write_whole
from robo_reward.plans.way_points import Plan

PLAN, REQUEST, REPLIES, QUESTION = "plan.yaml", "request.json", "replies.json", "question.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One question and what came of it."""

    question: str
    """The words; where pictures stood: `<picture CAMERA>`."""
    reply: Reply
    problem: str | None
    """Why the reply is no plan; None = it is one."""

    def document(self) -> dict[str, Any]:
        """Give plain values."""
        told = self.reply if isinstance(self.reply, str) else {"reason": self.reply.reason, "detail": self.reply.detail}
        kind = "no_reply" if isinstance(self.reply, NoReply) else "reply"
        return {"question": self.question, kind: told, "problem": self.problem}


@final
class PlanFolder:
    """Keeps one plan: `plan.yaml`, the pictures as taken and as marked, the question, every reply.

    `request.json` says what was asked for; a folder answers the same request from `plan.yaml`, also where a person
    has corrected it since, and refuses another one.

    Args:
        path: The folder; made when something is kept.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()

    def kept(self, request: Mapping[str, Any]) -> Plan | None:
        """Give the plan that an equal request led to; None where there is none yet.

        Raises:
            OutputError: The folder holds the plan of another request.
            ValueError: Its plan is none.
        """
        if not (self.path / PLAN).is_file():
            return None
        try:
            known = json.loads((self.path / REQUEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = None
        if known != json.loads(json.dumps(request)):
            differing = sorted(key for key in request if not isinstance(known, dict) or known.get(key) != request[key])
            raise OutputError(
                f"{self.path} holds a plan that was made otherwise (different: {', '.join(differing) or 'keys'}); "
                "remove it, or name another folder"
            )
        return read_plan(self.path / PLAN)

    def keep_question(
        self,
        request: Mapping[str, Any],
        *,
        question: str,
        pictures: Mapping[str, Picture],
        marked: Mapping[str, Picture],
    ) -> None:
        """Keep what is asked, before it is.

        Raises:
            OutputError: The folder cannot be written.
        """
        for camera, picture in pictures.items():
            write_whole(self.path / f"{_file_name(camera)}.png", _png(picture))
        for camera, picture in marked.items():
            write_whole(self.path / f"{_file_name(camera)}_marked.png", _png(picture))
        write_whole(self.path / QUESTION, question.encode())
        write_whole(self.path / REQUEST, json.dumps(request, indent=2, ensure_ascii=False).encode())

    def keep_attempts(self, attempts: Sequence[Attempt]) -> None:
        """Keep every reply so far.

        Raises:
            OutputError: The folder cannot be written.
        """
        content = [each.document() for each in attempts]
        write_whole(self.path / REPLIES, json.dumps(content, indent=2).encode())

    def keep_plan(self, plan: Plan) -> None:
        """Keep the plan.

        Raises:
            OutputError: The folder cannot be written.
        """
        write_plan(plan, self.path / PLAN)


def _file_name(camera: str) -> str:
    """A camera's name as part of a file's: what is no letter, digit, dash or dot becomes an underscore."""
    return "".join(each if each.isalnum() or each in "-." else "_" for each in camera).strip(".") or "camera"


def _png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture.cpu().permute(1, 2, 0).contiguous().numpy()).save(buffer, format="PNG")
    return buffer.getvalue()
