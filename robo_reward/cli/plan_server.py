"""The small web page on which a person clicks a plan: one HTML file, plain HTTP on this machine."""

import io
import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, final

import numpy as np
from PIL import Image

from robo_reward.camera.rig import Rig
from robo_reward.errors import RoboRewardError
from robo_reward.perception.vlm import Picture
from robo_reward.plans.plan_clicks import Click, locate_clicks, plan_of_clicks, seen_by
from robo_reward.plans.plan_file import PlanFileError, plan_document, plan_from, write_plan
from robo_reward.plans.way_points import Plan

PAGE = Path(__file__).parent / "plan_page.html"
MOST_BYTES = 1_000_000
"""Longest request that is read."""


@final
class PlanServer:
    """Serves the page, answers where clicks lie in space, writes the plan.

    Listens on this machine only and answers requests that name it as such, so that no page from elsewhere can write the
    plan. `done` is set when the person says so.

    Args:
        rig: Cameras.
        pictures: Camera to picture, of the size that the rig was measured at.
        task: In words.
        path: The plan's file; written whole or not at all.
        plan: What is there already, to be corrected; None = nothing.
        port: To listen at; 0 = any that is free.

    Raises:
        ValueError: No picture, or one of another size than its camera's.
        OSError: The port is taken.
    """

    def __init__(
        self, rig: Rig, *, pictures: Mapping[str, Picture], task: str, path: Path, plan: Plan | None, port: int
    ) -> None:
        if not pictures:
            raise ValueError(f"no pictures to click in; give one of each camera of {sorted(rig.cameras)}")
        for camera, picture in pictures.items():
            lens = rig.camera(camera).intrinsics
            if tuple(picture.shape[1:]) != (lens.height, lens.width):
                raise ValueError(
                    f"the picture of camera '{camera}' is {picture.shape[2]} x {picture.shape[1]} px, the rig was "
                    f"measured at {lens.width} x {lens.height}"
                )
        self.done = threading.Event()
        self._rig = Rig(cameras={name: rig.camera(name) for name in pictures}, base_frame=rig.base_frame)
        self._task, self._path, self._plan = task, path, plan
        self._png = {camera: _png(picture) for camera, picture in pictures.items()}
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        self.port = int(self._http.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> "PlanServer":
        """Begin to serve."""
        serve = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        serve.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._http.shutdown()
        self._http.server_close()

    def get(self, path: str) -> tuple[bytes, str] | None:
        """Give body and content type of what a browser asks for; None where there is no such thing."""
        if path == "/":
            return PAGE.read_bytes(), "text/html; charset=utf-8"
        if path == "/state":
            return _json(self._state()), "application/json"
        names = dict(zip((f"/picture/{number}" for number in range(len(self._png))), self._png, strict=True))
        return (self._png[names[path]], "image/png") if path in names else None

    def post(self, path: str, body: Any) -> Any | None:
        """Give the answer to what the page sends; None where there is no such thing.

        Raises:
            ValueError: A body that is not as it should be, or no plan.
            OutputError: The plan cannot be written.
        """
        if path == "/locate":
            return self._located(body)
        if path == "/plan":
            plan = self._clicked(body)
            write_plan(plan, self._path)
            self._plan = plan
            return {"written": str(self._path)}
        if path == "/done":
            self.done.set()
            return {}
        return None

    def _state(self) -> dict[str, Any]:
        cameras = [
            {"name": name, "picture": f"/picture/{number}", "width": lens.width, "height": lens.height}
            for number, (name, lens) in enumerate((name, each.intrinsics) for name, each in self._rig.cameras.items())
        ]
        plan = None if self._plan is None else plan_document(self._plan)
        for point in [] if plan is None else plan["way_points"]:
            point["pixels"] = seen_by(self._rig, np.array(point["position"]))
        return {"task": self._task, "base_frame": self._rig.base_frame, "cameras": cameras, "plan": plan}

    def _located(self, body: Any) -> dict[str, Any]:
        point = _click(body)
        found = locate_clicks(self._rig, point.shown, height=point.height)
        return {
            "position": None if found.position is None else found.position.tolist(),
            "problem": found.problem,
            "std": found.std if np.isfinite(found.std) else None,
            "pixels": found.pixels,
            "lines": found.lines,
        }

    def _clicked(self, body: Any) -> Plan:
        if not isinstance(body, dict) or not isinstance(body.get("points"), list):
            raise PlanFileError("the page must send points, a list")
        grasp = body.get("grasp")
        if grasp is not None and (not isinstance(grasp, int) or isinstance(grasp, bool)):
            raise PlanFileError(f"grasp must be the number of a way point or null, got {grasp!r}")
        task = body.get("task", self._task)
        clicks = [_click(each) for each in body["points"]]
        plan = plan_of_clicks(self._rig, clicks, task=task if isinstance(task, str) else "", grasp=grasp)
        return plan_from(plan_document(plan), where="the plan")  # what could not be read back is not written


def _click(body: Any) -> Click:
    """Read one way point; the plan file's own reader checks what the two have in common."""
    if not isinstance(body, dict):
        raise PlanFileError("a way point must be an object")
    shown, height = body.get("shown") or {}, body.get("height")
    if not isinstance(shown, dict):
        raise PlanFileError("shown must map cameras to pixels")
    placeholder = body.get("position") or [0.0, 0.0, 0.0]
    common = {key: body[key] for key in ("name", "gripper", "tolerance") if key in body}
    other = {"position": [point + 1 for point in placeholder] if _numbers(placeholder, 3) else placeholder}
    points = [common | {"position": placeholder}, other]
    read = plan_from({"task": "t", "base_frame": "b", "way_points": points}, where="the page").way_points[0]
    if height is not None and not _numbers([height], 1):
        raise PlanFileError(f"height must be a number [m] or null, got {height!r}")
    for camera, pixel in shown.items():
        if not _numbers(pixel, 2):
            raise PlanFileError(f"camera '{camera}': a pixel must be 2 numbers, got {pixel!r}")
    return Click(
        name=read.name,
        gripper=read.gripper,
        tolerance=read.tolerance,
        shown={camera: (float(pixel[0]), float(pixel[1])) for camera, pixel in shown.items()},
        height=None if height is None else float(height),
        position=read.position if body.get("position") else None,
    )


def _numbers(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    )


class _Handler(BaseHTTPRequestHandler):
    plan_server: PlanServer
    timeout = 10.0  # [s]: who says nothing for so long is not waited for

    def do_GET(self) -> None:
        found = self.plan_server.get(self.path) if self._is_for_us() else None
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, _json({"problem": f"there is no {self.path} here"}))
        else:
            self._answer(HTTPStatus.OK, found[0], found[1])

    def do_POST(self) -> None:
        told = self.headers.get("content-length") or ""
        length = int(told) if told.isascii() and told.isdigit() and len(told) < 12 else 0
        is_json = self.headers.get_content_type() == "application/json"  # other pages may not send that
        if not self._is_for_us() or not is_json or not 0 <= length <= MOST_BYTES:
            self.close_connection = True
            self._discard(length)
            self._answer(HTTPStatus.FORBIDDEN, _json({"problem": "only this page may send JSON here"}))
            return
        try:
            answer = self.plan_server.post(self.path, json.loads(self.rfile.read(length), parse_constant=_refuse))
        except (ValueError, RecursionError, RoboRewardError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, _json({"problem": str(error)}))
            return
        status = HTTPStatus.NOT_FOUND if answer is None else HTTPStatus.OK
        self._answer(status, _json(answer if answer is not None else {"problem": f"there is no {self.path} here"}))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the page shows what goes wrong."""

    def _discard(self, length: int) -> None:
        """Read what is refused, within reason: who is still sending does not hear the answer."""
        for _ in range(min(max(length, 0), 10 * MOST_BYTES) // MOST_BYTES + 1):
            length -= len(self.rfile.read(min(max(length, 0), MOST_BYTES)))

    def _is_for_us(self) -> bool:
        """Refuse a name that another site gave to this machine (DNS rebinding)."""
        return self.headers.get("host") in (f"127.0.0.1:{self.plan_server.port}", f"localhost:{self.plan_server.port}")

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        for name, value in (
            ("content-type", content_type),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'self' 'unsafe-inline'"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _handler(server: PlanServer) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"plan_server": server})


def _refuse(name: str) -> None:
    raise PlanFileError(f"{name} is no JSON")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture.cpu().permute(1, 2, 0).contiguous().numpy()).save(buffer, format="PNG")
    return buffer.getvalue()
