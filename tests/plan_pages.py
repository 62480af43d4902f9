"""A page to click a plan in: its pictures, what somebody clicks, and how a browser asks."""

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import torch
from key_point_plans import table_rig

RIG = table_rig(width=320, height=240)
PUCK, GOAL = np.array([-0.12, 0.66, 0.02]), np.array([0.11, 0.78, 0.1])
PICTURES = {name: torch.full((3, 240, 320), 90, dtype=torch.uint8) for name in RIG.cameras}
MOVED = GOAL + np.array([0.02, 0.0, 0.0])
TASK = "bring the puck to the goal"


def get(url, **headers):
    with urlopen(Request(url, headers=headers), timeout=5) as answer:
        return answer.status, answer.headers.get_content_type(), answer.read()


def post(url, body, *, content_type="application/json", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(url, data=content, headers={"content-type": content_type, **headers})
    try:
        with urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


def clicks(point, *cameras):
    return {name: RIG.cameras[name].project(point).tolist() for name in cameras}


def way_points():
    return [
        {"name": "grasp", "gripper": "closed", "tolerance": 0.02, "shown": clicks(PUCK, "top", "side"), "height": None},
        {"name": "goal", "gripper": "open", "tolerance": 0.03, "shown": clicks(GOAL, "top"), "height": 0.1},
    ]
