"""`robo-reward plan`: key points and way points of a task, from a vision-language model or from clicks."""

import webbrowser
from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from rich.console import Console

from robo_reward.camera.rig import Rig
from robo_reward.camera.rig_file import read_rig
from robo_reward.cli.build import build, plain
from robo_reward.cli.plan_server import PlanServer
from robo_reward.perception.vlm import Picture
from robo_reward.perception.vlm_pictures import read_pictures
from robo_reward.plans.plan_file import plan_document, read_plan
from robo_reward.plans.plan_folder import PLAN, PlanFolder
from robo_reward.plans.plan_lift import Lift, TwoViews, ViewAndDepth, ViewAndHeight
from robo_reward.plans.plan_question import PlanQuestion
from robo_reward.plans.way_points import Plan

FARTHEST = 100.0
"""Depths beyond this [m] are no metres."""


def run(config: DictConfig) -> None:
    """Make the plan as configured and say where it is."""
    console = Console(stderr=True, soft_wrap=True)
    rig, pictures = read_rig(Path(config.rig)), read_pictures(plain(config.pictures))
    folder = PlanFolder(config.output)
    if config.click:
        _click(config, rig, pictures, console=console)
    else:
        question = PlanQuestion(
            build(config.vlm),
            lift=_lift(config, rig, pictures),
            detector=build(config.key_points),
            settings=build(config.settings),
        )
        _show(question.plan(config.instruction, pictures, folder=folder), console, tolerance=config.settings.tolerance)
    console.print(f"plan: {folder.path / PLAN}", markup=False)


def no_key_points() -> None:
    """Stand for `key_points=none` in the configuration: tiles only."""


def _lift(config: DictConfig, rig: Rig, pictures: dict[str, Picture]) -> Lift:
    cameras = list(plain(config.lift).get("cameras") or [name for name in rig.cameras if name in pictures])
    if not cameras:
        raise ValueError(f"no picture is of a camera of the rig; it has {sorted(rig.cameras)}")
    heights = list(config.lift.heights)
    if config.lift.depth is not None:
        return ViewAndDepth(rig, camera=cameras[0], depth=_depth(Path(config.lift.depth)))
    if heights:
        side = config.lift.side_camera
        return ViewAndHeight(
            rig, camera=cameras[0], heights=heights, side_camera=side, lines_at=list(config.lift.lines_at)
        )
    if len(cameras) < 2:
        raise ValueError(
            f"with one camera ({cameras[0]}) nothing tells how far points are: give pictures of a second camera, "
            "lift.heights=[…] or lift.depth=FILE.npy"
        )
    return TwoViews(rig, cameras=cameras)


def _depth(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"lift.depth={path}: there is no such file")
    depth = np.load(path, allow_pickle=False)
    if not np.issubdtype(depth.dtype, np.floating):
        raise ValueError(
            f"lift.depth={path} holds {depth.dtype}: it must be metres as float32; is it millimetres? divide by 1000"
        )
    farthest = float(np.where(np.isfinite(depth), depth, 0).max(initial=0))
    if farthest > FARTHEST:
        raise ValueError(
            f"lift.depth={path} goes to {farthest:g} m, more than {FARTHEST:g} m; is it millimetres? divide by 1000"
        )
    return depth.astype(np.float64)


def _click(config: DictConfig, rig: Rig, pictures: dict[str, Picture], *, console: Console) -> None:
    path = Path(config.output) / PLAN
    known = read_plan(path) if path.is_file() else None
    if known is not None:
        known.check_still()
    with PlanServer(rig, pictures=pictures, task=config.instruction, path=path, plan=known, port=config.port) as server:
        console.print(f"click the plan at {server.url} ; Ctrl-C stops", markup=False)
        if config.open_browser:
            webbrowser.open(server.url)
        server.done.wait()
    if not path.is_file():
        raise ValueError("no plan was saved on the page")


def _show(plan: Plan, console: Console, *, tolerance: float) -> None:
    for point in plan_document(plan)["way_points"]:
        at = ", ".join(f"{each:+.3f}" for each in point["position"])
        console.print(f"  ({at}) m  {point['gripper']:6}  {point['name']}", markup=False)
    widest = max(point.tolerance for point in plan.way_points)
    if widest > tolerance:
        console.print(
            f"warning: tiles leave open where points are, up to {widest:.2f} m; this stands in the plan as their "
            "tolerance: look at the plan, give lift.heights or lift.depth, or correct it with click=true",
            markup=False,
        )
