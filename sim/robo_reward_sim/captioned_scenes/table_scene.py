"""Meta-World's table, repainted, laid out anew and photographed from anywhere."""

# pyright: reportAttributeAccessIssue=false
# mujoco 3.3, which Meta-World needs, comes without types

from pathlib import Path
from typing import final

import metaworld
import mujoco
import numpy as np
from jaxtyping import Float

from robo_reward_sim.cameras import POSES
from robo_reward_sim.captioned_scenes.arm import Arm
from robo_reward_sim.captioned_scenes.colours import draw_colour, shade
from robo_reward_sim.captioned_scenes.facts import Fact, closeness
from robo_reward_sim.captioned_scenes.table_tasks import TableTask, fraction, hand_position, near_fact

_ASSETS = Path(metaworld.__file__).parent / "assets" / "sawyer_xyz"
_TABLE = 0.02  # height of a puck's centre when it lies on the table [m]


@final
class TableScene:
    """One Meta-World scene; `redress` changes how it looks, `pose` the state it is in, `view` where it is seen from."""

    def __init__(self, task: TableTask) -> None:
        """Load the scene and remember how Meta-World paints it."""
        self.model = mujoco.MjModel.from_xml_path(str(_ASSETS / f"{task.model}.xml"))
        self.data = mujoco.MjData(self.model)
        self._task = task
        self._arm = Arm(self.model, self.data)
        self._stock = {
            name: getattr(self.model, name).copy()
            for name in ("mat_rgba", "mat_texid", "light_diffuse", "light_dir", "site_size", "geom_rgba")
        }
        self._stock_ambient = self.model.vis.headlight.ambient.copy()
        self._colour, self._goal_colour, self._puck_colour = "", "", ""
        self._goal = np.zeros(3)

    def redress(self, rng: np.random.Generator) -> None:
        """Draw colours, textures, light, the place of the furniture and of the goal."""
        model, task = self.model, self._task
        for name, value in self._stock.items():
            getattr(model, name)[:] = value
        model.vis.headlight.ambient[:] = self._stock_ambient
        self._colour, self._goal_colour, self._puck_colour = task.colour, task.goal_colour, "red"
        if rng.uniform() < 0.45:
            self._repaint(rng)
        if rng.uniform() < 0.6:
            self._relight(rng)
        if task.body:
            model.body(task.body).pos = rng.uniform(task.low, task.high)
        self._place_goal(rng)

    def _repaint(self, rng: np.random.Generator) -> None:
        model, task = self.model, self._task
        for index in range(model.nmat):
            if rng.uniform() < 0.3:
                model.mat_rgba[index, :3] *= rng.uniform(0.5, 1.4, 3)
            if rng.uniform() < 0.12:
                model.mat_texid[index] = -1
                model.mat_rgba[index, :3] = rng.uniform(0.05, 0.95, 3)
        if task.materials and rng.uniform() < 0.6:
            self._colour = draw_colour(rng)
            for name in task.materials:
                model.mat(name).texid[:] = -1
                model.mat(name).rgba = shade(self._colour, rng)
        if task.goal_colour and rng.uniform() < 0.6:
            self._goal_colour, self._puck_colour = draw_colour(rng), draw_colour(rng)
            puck = model.geom("objGeom")
            model.mat_texid[puck.matid] = -1
            model.mat_rgba[puck.matid] = shade(self._puck_colour, rng)
            puck.rgba = model.mat_rgba[puck.matid].reshape(-1)
        np.clip(model.mat_rgba, 0.0, 1.0, out=model.mat_rgba)

    def _relight(self, rng: np.random.Generator) -> None:
        model = self.model
        model.light_diffuse[:] *= rng.uniform(0.4, 1.8, (model.nlight, 1))
        model.light_dir[:] += rng.normal(0.0, 0.35, model.light_dir.shape)
        model.light_dir[:] /= np.linalg.norm(model.light_dir, axis=1, keepdims=True)
        model.vis.headlight.ambient[:] *= rng.uniform(0.6, 1.4)

    def _place_goal(self, rng: np.random.Generator) -> None:
        model = self.model
        model.site_rgba[:, 3] = 0.0
        if self._task.goal_colour:
            self._goal = rng.uniform((-0.18, 0.62, 0.03), (0.18, 0.93, 0.32))
            marker = model.site("goal")
            marker.pos, marker.size = self._goal, rng.uniform(0.02, 0.035)
            marker.rgba = shade(self._goal_colour, rng)
        elif self._task.joint and rng.uniform() < 0.1:
            for name in ("rightEndEffector", "leftEndEffector"):
                model.site(name).rgba[3] = 1.0

    def pose(self, rng: np.random.Generator) -> list[Fact]:
        """Draw a state and say what is true in it."""
        facts = self._pose_joint(rng) if self._task.joint else self._pose_puck(rng)
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)
        return facts

    def _pose_joint(self, rng: np.random.Generator) -> list[Fact]:
        task, data = self._task, self.data
        assert task.handle_of is not None  # noqa: S101
        value = fraction(rng)
        data.joint(task.joint).qpos[0] = value * task.full
        mujoco.mj_kinematics(self.model, data)
        handle = task.handle_of(data).copy()
        self._arm.reach(hand_position(handle, rng), rng)
        mujoco.mj_kinematics(self.model, data)
        return [
            Fact(task.kind, task.noun, self._colour, value),  # pyright: ignore[reportArgumentType]
            near_fact(task.handle, self._colour if task.handle == task.noun else "", self._arm.tip(), handle),
            Fact("present", task.noun, self._colour, 1.0),
        ]

    def _pose_puck(self, rng: np.random.Generator) -> list[Fact]:
        place = np.array([*rng.uniform((-0.2, 0.5), (0.2, 0.9)), _TABLE])
        held = rng.uniform() < (0.5 if self._task.model == "sawyer_pick_place_v3" else 0.08)
        target = self._goal if held or rng.uniform() < 0.5 else place
        if held and rng.uniform() < 0.3:  # just grasped, still on the table
            target = place
        self._arm.reach(hand_position(target, rng), rng)
        mujoco.mj_kinematics(self.model, self.data)
        tip = self._arm.tip().copy()
        if held:
            place = tip + rng.normal(0.0, 0.006, 3)
            place[2] = max(place[2], _TABLE)
            self.data.qpos[7:9] = (0.022, -0.012)
        elif rng.uniform() < 0.12:  # put down at the goal, or thrown there
            place = self._goal + rng.normal(0.0, 0.01, 3)
        self.data.joint("objjoint").qpos[:3] = place
        mujoco.mj_kinematics(self.model, self.data)
        return self._puck_facts(tip, place, held=held)

    def _puck_facts(self, tip: Float[np.ndarray, "3"], place: Float[np.ndarray, "3"], *, held: bool) -> list[Fact]:
        to_goal = float(np.linalg.norm(tip - self._goal)), float(np.linalg.norm(place - self._goal))
        gripper, puck = (closeness(each, touching=0.03, reach=0.35) for each in to_goal)
        height = min(1.0, max(0.0, (float(place[2]) - _TABLE) / 0.15))
        return [
            Fact("at_goal", "gripper", "", gripper, self._goal_colour),
            Fact("at_goal", "puck", self._puck_colour, puck, self._goal_colour),
            near_fact("puck", self._puck_colour, tip, place),
            Fact("held", "puck", self._puck_colour, float(held)),
            Fact("lifted", "puck", self._puck_colour, height),
            Fact("present", "puck", self._puck_colour, 1.0),
            Fact("present", "goal", self._goal_colour, 1.0),
        ]

    def landmarks(self) -> Float[np.ndarray, "3 3"]:
        """Return where the gripper's tip, the thing it goes for and the goal are [m]; NaN where there is no goal."""
        handle_of = self._task.handle_of
        thing = self.data.joint("objjoint").qpos[:3] if handle_of is None else handle_of(self.data)
        goal = self._goal if self._task.goal_colour else np.full(3, np.nan)
        return np.stack([self._arm.tip(), thing, goal])

    def view(self, rng: np.random.Generator, *, nearness: float) -> mujoco.MjvCamera:
        """Draw a camera: with probability `nearness` about where one of the demo's stands, else farther from it."""
        camera = mujoco.MjvCamera()
        self.model.vis.global_.fovy = 45.0
        case = rng.uniform()
        if case < (1 + nearness) / 2:
            shaken = 1.0 if case < nearness else 2.8
            pose = POSES[str(rng.choice(list(POSES), p=[0.45, 0.45, 0.05, 0.05]))]
            camera.lookat[:] = np.array(pose.lookat) + rng.normal(0.0, 0.012 * shaken, 3)
            camera.distance = pose.distance * (1 + shaken * rng.uniform(-0.05, 0.05))
            camera.azimuth = pose.azimuth + rng.normal(0.0, 2.5 * shaken)
            camera.elevation = pose.elevation + rng.normal(0.0, 1.6 * shaken)
        else:
            self.model.vis.global_.fovy = rng.uniform(38.0, 60.0)
            camera.lookat[:] = np.array([-0.03, 0.74, 0.13]) + rng.normal(0.0, 0.06, 3)
            camera.distance = rng.uniform(0.75, 1.5)
            camera.azimuth = rng.uniform(-25.0, 205.0)
            camera.elevation = rng.uniform(-70.0, -8.0)
        return camera
