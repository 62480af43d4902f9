"""Every reward model as its user builds it, with a bag that it can tell the progress of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bag_data import MS, START, compressed_image, float64, header, message, raw_image, red_to_green, write_bag
from chat_server import Asked, completion, first_token
from demonstrations import ENCODER, SMALL_FIT
from key_point_plans import plan
from looking_cameras import looking
from PIL import Image
from printed_things import marker_print, shown

from robo_reward.camera.intrinsics import intrinsics_from_field_of_view
from robo_reward.camera.pose import Pose
from robo_reward.camera.rig import Rig, RigCamera
from robo_reward.camera.rig_file import write_rig
from robo_reward.clip import Clip
from robo_reward.models.calibrated_spread import CalibratedSpread
from robo_reward.models.ensemble import EnsembleModel
from robo_reward.models.perceptual_steps import PerceptualSteps
from robo_reward.models.preference import PreferenceReward
from robo_reward.models.process import ProcessReward
from robo_reward.models.success import SuccessClassifier
from robo_reward.models.trajectory_match import TrajectoryMatch
from robo_reward.models.watched import WatchedCameras
from robo_reward.perception.encoder import embed_clip
from robo_reward.perception.fitting import FittableRewardModel, LabelledClip
from robo_reward.plans.plan_file import write_plan
from robo_reward.training.fit import FittedModels, save_models
from robo_reward.training.fit_success import FittedSuccess

TASK = "make it green"
NAMES = FRONT, WRIST = "observation.images.front", "observation.images.wrist"
TOPICS = {"front": "/front/image_raw", "wrist": "/wrist/compressed"}
PERIOD = 50 * MS
Event = tuple[str, int, Any]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class RecordedModel:
    """What somebody types to choose a model, and a bag for it."""

    reward_model: str
    bag: Path
    overrides: Sequence[str] = ()
    state: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Of each state."""
    size: tuple[int, int] = (24, 32)
    """Height and width of the pictures [px]."""
    success: bool = False
    """Whether success was fitted, too, and decides."""


def colours(length: int = 16, *, seed: int = 0) -> list[Event]:
    """Two cameras that see red turn green: late, overtaken and repeated pictures, in the order of their receipt."""
    delays = np.random.default_rng(seed).integers(2, 70, (2, length))
    films = red_to_green(length), red_to_green(length, seed=1)
    events = []
    for t in range(length):
        stamp = START + t * PERIOD
        front = raw_image(films[0][t][..., ::-1], stamp, encoding="bgr8", padding=5)
        wrist = compressed_image(films[1][t], stamp + 4 * MS, kind="JPEG" if t % 2 else "PNG")
        events.append((TOPICS["front"], stamp + int(delays[0, t]) * MS, front))
        events.append((TOPICS["wrist"], stamp + int(delays[1, t]) * MS + 5 * MS, wrist))
    again = events[6]
    return sorted([*events, (again[0], again[1] + 90 * MS, again[2])], key=lambda event: event[1])


def _coloured(folder: Path) -> Path:
    return write_bag(folder / "run", colours())


def _prompts(folder: Path) -> RecordedModel:
    given = ["reward_model.goal=[a green square]", "reward_model.baseline=[a red square]"]
    return RecordedModel(reward_model="prompt_similarity", bag=_coloured(folder), overrides=given)


def _demonstrations(*seeds: int, reach: float = 1.0, success: bool = True) -> list[LabelledClip]:
    found = []
    for seed in seeds:
        films = [red_to_green(24, end=reach, seed=2 * seed + view) for view in range(2)]
        views = {name: torch.tensor(film).permute(0, 3, 1, 2)[None] for name, film in zip(NAMES, films, strict=True)}
        stamp = torch.arange(24, dtype=torch.float64)[None] / 20
        clip = Clip(views=views, present=torch.ones(1, 24, 2, dtype=torch.bool), stamp=stamp)
        found.append(LabelledClip(clip=embed_clip(ENCODER, clip), success=success))
    return found


def _fitted(build: Callable[[], FittableRewardModel], *, success: bool = False) -> Callable[[Path], RecordedModel]:
    def recorded(folder: Path) -> RecordedModel:
        good, bad = _demonstrations(1, 2, 3, 4, 5), _demonstrations(6, 7, 8, reach=0.4, success=False)
        told = {}
        if success:
            classifier = SuccessClassifier(ENCODER, rank=3).fitted_to([*good, *bad])
            told[TASK] = FittedSuccess(
                classifier=classifier, threshold=0.5, release=0.3, votes=2, window=3, certified=None
            )
        models = {TASK: build().fitted_to(good)}
        encoder = {"_target_": "fake_encoder.FakeEncoder"}
        kept = FittedModels(encoder=encoder, models=models, fitted_on={}, curves={TASK: []}, success=told)
        written = save_models(kept, folder / "fitted")
        return RecordedModel(reward_model=str(written), bag=_coloured(folder), success=success)

    return recorded


def _process() -> ProcessReward:
    return ProcessReward(ENCODER, instruction=TASK, fit=SMALL_FIT | {"steps": 30})


def _steps() -> PerceptualSteps:
    settings = {"objective": "weighted", "alpha": 5.0, "features_per_step": 16, "classifier": "gaussian"}
    return PerceptualSteps(ENCODER, num_steps=3, min_size=0.1, combination="expected", context=4, **settings)


def _tool(folder: Path) -> RecordedModel:
    """A tool that goes from (0, 0, 0) over (1, 0, 0) to (1, 1, 0) and closes; its words come late, too."""
    way = replace(plan((0, 0, 0), (1, 0, 0), (1, 1, 0), gripper={1: "closed"}, tolerance=0.2), task=TASK)
    events = colours()
    for t in range(30):
        stamp, at = START + (25 * t + 3) * MS, 2 * t / 29
        tool = _tool_at((min(at, 1.0), max(at - 1, 0.0), 0.0), stamp)
        events += [("/tool", stamp + 9 * MS, tool), ("/gripper", stamp + 2 * MS, float64(40.0 if t > 9 else 80.0))]
    events.sort(key=lambda event: event[1])
    return RecordedModel(
        reward_model="keypoint_affordance",
        bag=write_bag(folder / "run", events),
        overrides=[f"reward_model.plan='{write_plan(way, folder / 'plan.yaml')}'"],
        state={
            "tool_position": {"topic": "/tool", "fields": ["pose.position"]},
            "gripper_width": {"topic": "/gripper", "scale": 0.001},
        },
        sizes={"tool_position": 3, "gripper_width": 1},
    )


def _tool_at(place: Sequence[float], stamp: int) -> Any:
    at = {"position": message("geometry_msgs/msg/Point", **dict(zip("xyz", map(float, place), strict=True)))}
    at["orientation"] = message("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
    return message("geometry_msgs/msg/PoseStamped", header=header(stamp), pose=message("geometry_msgs/msg/Pose", **at))


def _truth(folder: Path) -> RecordedModel:
    """A simulator that tells the progress; for a while it falls silent."""
    told = [("/progress", START + (25 * t + 1) * MS, float64(t / 32)) for t in range(32) if not 12 < t < 20]
    bag = write_bag(folder / "run", sorted([*colours(), *told], key=lambda event: event[1]))
    state = {"progress": {"topic": "/progress"}}
    return RecordedModel(reward_model="ground_truth", bag=bag, state=state, sizes={"progress": 1})


def _rig() -> Rig:
    lens = intrinsics_from_field_of_view(0.8, 160, 120)
    places = {FRONT: (0.6, 0.0, 0.5), WRIST: (0.0, 0.6, 0.55)}
    cameras = {
        name: RigCamera(intrinsics=lens, T_base_camera=looking(place, (0.0, 0.0, 0.05)))
        for name, place in places.items()
    }
    return Rig(cameras=cameras, base_frame="world")


def _marked(folder: Path, *, length: int = 12) -> tuple[Path, Path, list[dict[str, torch.Tensor]]]:
    """A rig and a bag of a printed marker that moves from x = −0.06 m to 0.06 m; and its pictures."""
    rig, films, events = _rig(), [], []
    for t in range(length):
        place = Pose.from_rotation_vector(
            np.array([0.12 * t / (length - 1) - 0.06, 0.0, 0.05]), np.array([0.0, 0.1, 0.8])
        )
        views = {name: shown(camera, [(marker_print(7), 0.2, place)], seed=t) for name, camera in rig.cameras.items()}
        stamp = START + t * PERIOD
        front, wrist = (views[name].permute(1, 2, 0).numpy() for name in (FRONT, WRIST))
        events.append((TOPICS["front"], stamp + 7 * MS, raw_image(front, stamp)))
        events.append((TOPICS["wrist"], stamp + 9 * MS, compressed_image(wrist, stamp + 2 * MS)))
        films.append(views)
    write_rig(rig, folder / "rig.yaml")
    return folder / "rig.yaml", write_bag(folder / "run", events), films


def _object(folder: Path) -> RecordedModel:
    rig, bag, _ = _marked(folder)
    given = [
        f"reward_model.rig='{rig}'",
        "reward_model.objects.object.markers=[{number: 7, size: 0.15}]",
        "reward_model.progress.target.translation=[0.06, 0, 0.05]",
        "reward_model.progress.target.quaternion_wxyz=[1, 0, 0, 0]",
        "reward_model.progress.target.box=[0.2, 0.2, 0.1]",
    ]
    return RecordedModel(reward_model="object_pose", bag=bag, overrides=given, size=(120, 160))


def _point(folder: Path) -> RecordedModel:
    rig, bag, films = _marked(folder)
    way = replace(plan((-0.06, 0, 0.05), (0.06, 0, 0.05), tolerance=0.2), task=TASK)
    pictures, pixels = [], []
    for name, camera in _rig().cameras.items():
        file = folder / f"{name}.png"
        Image.fromarray(films[0][name].permute(1, 2, 0).numpy()).save(file)
        right, down = camera.project(np.array([-0.06, 0.0, 0.05])).tolist()
        pictures.append(f"{name}: '{file}'")
        pixels.append(f"{name}: [{right}, {down}]")
    given = [
        "point@reward_model.point=cameras",
        f"reward_model.plan='{write_plan(way, folder / 'plan.yaml')}'",
        "reward_model.gripper=null",
        f"reward_model.point.rig='{rig}'",
        f"reward_model.point.references={{{', '.join(pictures)}}}",
        f"reward_model.point.pixels={{{', '.join(pixels)}}}",
    ]
    return RecordedModel(reward_model="keypoint_affordance", bag=bag, overrides=given, size=(120, 160))


def _thing(folder: Path) -> RecordedModel:
    """A tool that goes to a red thing, which one camera does not see all the time."""
    way = replace(plan((0, 0, 0), (0, 0, 0), around={1: "thing"}), task=TASK)
    write_rig(_rig(), folder / "rig.yaml")
    events, thing, pictures = [], np.array([0.05, -0.03, 0.05]), {}
    for t in range(14):
        stamp = START + t * PERIOD
        for name, camera in _rig().cameras.items():
            picture = np.random.default_rng(t).integers(90, 110, (120, 160, 3)).astype(np.uint8)
            if not (name == WRIST and t in (0, 5, 6)):
                right, down = np.round(camera.project(thing)).astype(int)
                picture[down - 3 : down + 4 - t % 3, right - 3 : right + 4] = (210, 30, 30)
            pictures[name] = picture
        events.append(("/tool", stamp + MS, _tool_at(thing * t / 13, stamp - 2 * MS)))
        events.append((TOPICS["front"], stamp + 7 * MS, raw_image(pictures[FRONT], stamp)))
        events.append((TOPICS["wrist"], stamp + 9 * MS, compressed_image(pictures[WRIST], stamp + 2 * MS)))
    here, plan_file = "reward_model.anchors.thing", write_plan(way, folder / "plan.yaml")
    given = [f"+point@{here}=colour", f"{here}.rig='{folder / 'rig.yaml'}'", f"{here}.colour=[210, 30, 30]"]
    given += [f"{here}.still=true", "reward_model.start=episode", "reward_model.gripper=null"]
    return RecordedModel(
        reward_model="keypoint_affordance",
        bag=write_bag(folder / "run", events),
        overrides=[*given, f"reward_model.plan='{plan_file}'"],
        state={"tool_position": {"topic": "/tool", "fields": ["pose.position"]}},
        sizes={"tool_position": 3},
        size=(120, 160),
    )


def judge(asked: Asked) -> None:
    """A stand-in for a vision-language model: the greener the last picture, the likelier yes; hops by how much more."""
    greens = [float(picture[..., 1].mean()) / 255 for picture in asked.pictures]
    green = greens[-1]
    if asked.json.get("logprobs"):
        asked.answer(
            first_token({"yes": float(np.log(0.005 + 0.99 * green)), "no": float(np.log(0.995 - 0.99 * green))})
        )
    else:
        asked.answer(completion(f"<score>{90 * (green - greens[-3]):+.2f}%</score>"))


def _judged(folder: Path, url: str) -> RecordedModel:
    here = "reward_model.vlm"
    given = [f"{here}.folder='{folder / 'replies'}'", f"{here}.model.url={url}", f"{here}.model.model=green"]
    given += ["reward_model.num_frames=2", "reward_model.stride=2"]
    return RecordedModel(reward_model="vlm_judgement", bag=_coloured(folder), overrides=given)


def _hops(folder: Path, url: str) -> RecordedModel:
    here = "reward_model.source"
    for name, colour in (("start", (255, 0, 0)), ("goal", (0, 255, 0))):
        Image.new("RGB", (32, 24), colour).save(folder / f"{name}.png")
    given = [
        f"{here}.vlm.folder='{folder / 'replies'}'",
        f"{here}.vlm.model.url={url}",
        f"{here}.vlm.model.model=green",
    ]
    for name in ("start", "goal"):
        file = folder / f"{name}.png"
        given.append(f"{here}.{name}={{{FRONT}: '{file}', {WRIST}: '{file}'}}")
    return RecordedModel(reward_model="vlm_process", bag=_coloured(folder), overrides=[*given, "reward_model.stride=3"])


MODELS: Mapping[str, Callable[[Path], RecordedModel]] = {
    "prompt_similarity": _prompts,
    "process": _fitted(_process),
    "process with success": _fitted(_process, success=True),
    "perceptual_steps": _fitted(_steps),
    "preference": _fitted(lambda: PreferenceReward(ENCODER, pairs=100)),
    "trajectory_match": _fitted(lambda: TrajectoryMatch(ENCODER, directions=8, positions=24, context=4, quantile=0.99)),
    "watched": _fitted(lambda: WatchedCameras(ENCODER, model=_process())),
    "calibrated": _fitted(lambda: CalibratedSpread(ENCODER, model=_process(), coverage=0.8)),
    "ensemble": _fitted(lambda: EnsembleModel(ENCODER, models=[_process(), _steps()])),
    "keypoint_affordance of the tool": _tool,
    "keypoint_affordance of cameras": _point,
    "keypoint_affordance toward a thing": _thing,
    "ground_truth": _truth,
    "object_pose": _object,
}
ASKING: Mapping[str, Callable[[Path, str], RecordedModel]] = {"vlm_judgement": _judged, "vlm_process": _hops}
"""Models that need a server."""
QUICK = ("process with success", "trajectory_match", "keypoint_affordance of the tool", "vlm_judgement")
"""One of each kind: recurrent with success, with a window of embeddings, with states, with a window of pictures."""
