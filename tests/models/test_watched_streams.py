"""Watched cameras piece by piece: whatever the inner model, a stream is told what a batch is told, bit for bit."""

import pytest
import torch
from fake_encoder import FakeEncoder
from reward_model import CONTRACT, random_clip, same

from robo_reward import Clip, RewardStream
from robo_reward.models.process import ProcessReward
from robo_reward.models.prompt_similarity import PromptSimilarity
from robo_reward.models.trajectory_match import TrajectoryMatch
from robo_reward.models.watched import WatchedCameras, WatchMemory
from robo_reward.perception.encoder import EmbeddedClip, embed_clip
from robo_reward.perception.fitting import LabelledClip
from robo_reward.reward_model import Estimate, RecurrentRewardModel

ENCODER = FakeEncoder()
LOOKS = {"front": ((200, 0, 30), (0, 200, 30)), "wrist": ((20, 20, 120), (90, 20, 220))}
INNER = {
    "prompt_similarity": lambda: PromptSimilarity(
        ENCODER, goal=["a green square"], baseline=["a red square"], alpha=0.5
    ),
    "process": lambda: ProcessReward(ENCODER, fit={"members": 2, "width": 16, "components": 8, "steps": 30}),
    "trajectory_match": lambda: TrajectoryMatch(ENCODER, directions=8, positions=30, context=4, quantile=0.99),
}


def scene(*, time: int = 24, seed: int = 0) -> Clip:
    """Two cameras of different looks, whose colours drift from the start's to the goal's under noise."""
    noise = random_clip(time=time, seed=seed)
    done = torch.linspace(0, 1, time)[:, None, None, None]
    views = {}
    for camera, (start, goal) in LOOKS.items():
        before, after = (torch.tensor(colour, dtype=torch.float32)[:, None, None] for colour in (start, goal))
        views[camera] = (before + (after - before) * done + noise.views[camera] % 32).byte()
    return Clip(views=views, present=noise.present, stamp=noise.stamp)


def fitted(name: str, look) -> WatchedCameras:
    clips = [LabelledClip(clip=embed_clip(ENCODER, look(time=24, seed=seed)), success=True) for seed in range(3)]
    return WatchedCameras(ENCODER, model=INNER[name](), frozen_after=4).fitted_to(clips)


@pytest.fixture(scope="module")
def of_noise() -> dict[str, WatchedCameras]:
    """Fitted to what the contract shows; prompts tell nothing of it and keep their zero-shot reading."""
    return {name: fitted(name, random_clip) for name in ("process", "trajectory_match")}


@pytest.fixture(scope="module")
def of_scenes() -> dict[str, WatchedCameras]:
    return {name: fitted(name, scene) for name in INNER}


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", ["process", "trajectory_match"])
def test_contract(name, law, of_noise):
    law(of_noise[name])


@pytest.mark.parametrize("name", INNER)
def test_the_contract_holds_in_the_scene_that_it_was_fitted_to(name, of_scenes, monkeypatch):
    for law in CONTRACT:
        monkeypatch.setitem(law.__globals__, "random_clip", lambda *, time=7, batch=1: rows(batch, time))
        law(of_scenes[name])


def rows(batch: int, time: int) -> Clip:
    clips = [scene(time=time, seed=seed) for seed in range(batch)]
    return Clip(
        views={camera: torch.cat([clip.views[camera] for clip in clips]) for camera in LOOKS},
        present=torch.cat([clip.present for clip in clips]),
        stamp=torch.cat([clip.stamp for clip in clips]),
    )


def spoilt(how: str) -> Clip:
    clip = scene(time=20, seed=9)
    views = {camera: frames.clone() for camera, frames in clip.views.items()}
    if how == "black":
        views["wrist"][:, 6:14] = 0
    elif how == "frozen":
        views["wrist"][:, 6:14] = views["wrist"][:, 6:7].clone()
    elif how == "swapped":
        for camera, other in (("front", "wrist"), ("wrist", "front")):
            lines = torch.linspace(0, clip.views[other].shape[3] - 1, frames_high(clip, camera)).long()
            views[camera][:, 6:14] = clip.views[other][:, 6:14, :, lines]
    return Clip(views=views, present=clip.present, stamp=clip.stamp)


def frames_high(clip: Clip, camera: str) -> int:
    return int(clip.views[camera].shape[3])


@pytest.mark.parametrize("how", ["black", "frozen", "swapped"])
@pytest.mark.parametrize("name", INNER)
def test_a_spoilt_camera_is_left_out_in_a_stream_exactly_as_in_a_batch(name, how, of_scenes):
    model, clip = of_scenes[name], spoilt(how)
    seen = embed_clip(ENCODER, clip)
    left_out = (seen.present & ~model.trusted(seen).present)[0, :, 1]
    assert bool(left_out[9:14].all())
    assert not bool(left_out[:6].any() | left_out[17:].any())  # an exchange is remembered for the watch's window
    whole = model.estimate(clip)
    stream = RewardStream(model, discount=0.9)
    for t in range(20):
        reward = stream.step(
            {camera: frames[0, t] for camera, frames in clip.views.items()}, stamp=float(clip.stamp[0, t])
        )
        if reward is not None and not reward.held:
            assert (reward.progress, reward.spread) == (float(whole.progress[0, t]), float(whole.spread[0, t]))
        assert reward is None or reward.held == bool(whole.abstained[0, t])
    shown_all = model.model.estimate_embedded(seen)
    if name != "trajectory_match":  # which has its own way with pictures that it never saw
        assert not torch.equal(shown_all.progress, whole.progress)


def piece(clip: EmbeddedClip, start: int, stop: int) -> EmbeddedClip:
    return EmbeddedClip(embedding=clip.embedding[:, start:stop], cameras=clip.cameras, stamp=clip.stamp[:, start:stop])


@pytest.mark.parametrize("how", ["black", "frozen", "swapped"])
@pytest.mark.parametrize("name", INNER)
def test_pieces_of_any_length_give_what_the_whole_gives(name, how, of_scenes):
    model, seen = of_scenes[name], embed_clip(ENCODER, spoilt(how))
    whole, memory = model.estimate_embedded(seen), None
    for start, stop in ((0, 1), (1, 7), (7, 8), (8, 13), (13, 20)):
        part, memory = model.resume(piece(seen, start, stop), memory)
        assert torch.equal(part.progress.nan_to_num(-1), whole.progress[:, start:stop].nan_to_num(-1))
        assert torch.equal(part.spread.nan_to_num(-1), whole.spread[:, start:stop].nan_to_num(-1))


@pytest.mark.parametrize("name", INNER)
def test_the_memory_does_not_grow_with_the_episode(name, of_scenes):
    model, seen = of_scenes[name], embed_clip(ENCODER, scene(time=30, seed=4))
    assert model.watch is not None
    assert isinstance(model, RecurrentRewardModel)
    assert model.context is None
    memory = None
    for t in range(30):
        _, memory = model.resume(piece(seen, t, t + 1), memory)
    assert memory.pictures is not None
    assert memory.pictures.stamp.shape[1] == model.watch.context - 1
    kept = {"prompt_similarity": 0, "trajectory_match": model.model.context - 1 if model.model.context else None}
    if name in kept:
        assert (0 if memory.inner is None else memory.inner.stamp.shape[1]) == kept[name]
    else:
        assert memory.inner.filter.belief.shape[0] == 1


class RemembersAll:
    """An inner model without a memory of its own that looks back to the start: it counts the frames that it saw."""

    version, weights, settings, context, encoder = "remembers all", {}, {}, None, ENCODER

    def estimate(self, clip):
        return self.estimate_embedded(embed_clip(ENCODER, clip))

    def estimate_embedded(self, clip):
        counted = clip.present.any(dim=-1).cumsum(dim=1) / 100
        progress = torch.where(clip.present.any(dim=-1), counted, torch.nan).float()
        return Estimate(progress=progress, spread=progress * 0 + 0.1)

    def fitted_to(self, clips, *, on_epoch=None):
        return self


@pytest.mark.parametrize("is_fitted", [False, True])
def test_an_inner_model_that_looks_back_to_the_start_is_shown_all_of_it(is_fitted):
    clips = [LabelledClip(clip=embed_clip(ENCODER, scene(seed=seed)), success=True) for seed in range(3)]
    model = WatchedCameras(ENCODER, model=RemembersAll(), frozen_after=4)
    model = model.fitted_to(clips) if is_fitted else model
    seen = embed_clip(ENCODER, spoilt("black"))
    _, memory = model.resume(piece(seen, 0, 8), None)
    last, memory = model.resume(piece(seen, 8, 20), memory)
    whole = model.estimate_embedded(seen)
    assert torch.equal(last.progress.nan_to_num(-1), whole.progress[:, 8:].nan_to_num(-1))
    assert isinstance(memory, WatchMemory)
    assert memory.inner.stamp.shape[1] == 20
    assert (memory.pictures is None) == (not is_fitted)


def test_nothing_is_left_out_before_a_fit_and_a_stream_is_still_a_batch():
    model, clip = WatchedCameras(ENCODER, model=INNER["prompt_similarity"]()), spoilt("black")
    same(model.estimate(clip), model.model.estimate(clip))
    _, memory = model.resume(embed_clip(ENCODER, clip), None)
    assert memory.pictures is None
    assert memory.inner is None
