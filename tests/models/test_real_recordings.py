"""The process head with its defaults on real recordings: fitted to one or two, tested on another one.

Measured figures stand beside the bars; they are of one seed, and other seeds differ in the second decimal.
"""

from functools import cache
from pathlib import Path

import pytest
import torch

from robo_reward.clip import Clip
from robo_reward.episodes.lerobot import LeRobotEpisodes
from robo_reward.episodes.robo_dopamine import RoboDopamineEpisodes
from robo_reward.episodes.source import EpisodeSource
from robo_reward.evaluation.controls import SensorNoise, static_control
from robo_reward.evaluation.footage import EmbeddedFootage
from robo_reward.evaluation.value_order import value_order_correlation
from robo_reward.models.process import ProcessReward
from robo_reward.perception.encoder import EmbeddedClip, ImageEncoder, embed_clip
from robo_reward.perception.fitting import LabelledClip
from robo_reward.perception.torchvision_features import torchvision_features
from robo_reward.training.recordings import progress_of_steps

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EVERY = 2
CHUNK = 32
BOTH_WAYS = [(0, 1), (1, 0)]
CAMERAS = ["cam_high", "cam_left_wrist", "cam_right_wrist"]


@pytest.fixture(scope="module")
def shared(shared_data) -> Path:
    return shared_data


@cache
def squeezenet(shared: Path) -> ImageEncoder:
    return torchvision_features(
        "squeezenet1_1",
        weights=str(shared / "weights/lpips_backbone_squeeze/squeeze.backbone.pth"),
        weights_prefix="features.",
        layer="features.7",
        grid=2,
        image_size=224,
        device="cpu",
        batch_size=None,
    )


def thinned(clip: Clip) -> Clip:
    views = {name: frames[:, ::EVERY] for name, frames in clip.views.items()}
    return Clip(views=views, present=clip.present[:, ::EVERY], stamp=clip.stamp[:, ::EVERY])


def embedded(source: EpisodeSource, number: int, encoder: ImageEncoder) -> EmbeddedClip:
    parts = [embed_clip(encoder, thinned(clip)) for clip in source.clips(source.episodes[number], num_frames=CHUNK)]
    return EmbeddedClip(
        embedding=torch.cat([part.embedding for part in parts], dim=1),
        cameras=parts[0].cameras,
        stamp=torch.cat([part.stamp for part in parts], dim=1),
    )


@cache
def table_clearing(shared: Path) -> RoboDopamineEpisodes:
    return RoboDopamineEpisodes(shared / "episodes/robo_dopamine/dataset/example_raw_data")


@cache
def cleared(shared: Path, number: int) -> LabelledClip:
    source = table_clearing(shared)
    steps = source.columns(source.episodes[number], ["keyframe"])["keyframe"][::EVERY]
    clip = embedded(source, number, squeezenet(shared))
    return LabelledClip(clip=clip, success=True, progress=progress_of_steps(steps, episode=number))


@cache
def fitted(shared: Path, number: int) -> ProcessReward:
    return ProcessReward(squeezenet(shared)).fitted_to([cleared(shared, number)])


@cache
def footage(shared: Path, number: int) -> EmbeddedFootage:
    return EmbeddedFootage(clip=cleared(shared, number).clip, encoder_version=squeezenet(shared).version)


def voc(progress: torch.Tensor) -> float:
    return value_order_correlation(progress).value


@pytest.mark.parametrize(("learnt", "tested"), BOTH_WAYS)
def test_all_cameras_follow_another_recording_and_know_how_well(shared, learnt, tested):
    """VOC, mean error, share inside the interval: .993, .035, 1.00; the other way round .982, .052, 1.00."""
    estimate = footage(shared, tested).estimate(fitted(shared, learnt))
    error = (estimate.progress[0] - cleared(shared, tested).target).abs()
    assert voc(estimate.progress[0]) >= 0.985
    assert float(error.mean()) <= 0.05
    assert float((error <= 1.645 * estimate.spread[0]).float().mean()) >= 0.9


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize(("learnt", "tested"), BOTH_WAYS)
def test_any_one_camera_may_be_lost(shared, learnt, tested, camera):
    """Without the high camera .925 and .943, without a wrist .985 at least."""
    seen = footage(shared, tested).without(f"observation.images.{camera}")
    assert voc(seen.estimate(fitted(shared, learnt)).progress[0]) >= 0.92


@pytest.mark.parametrize(("learnt", "tested"), BOTH_WAYS)
def test_a_recording_that_is_played_backwards_goes_back(shared, learnt, tested):
    """−.988 and −.992."""
    seen = footage(shared, tested)
    backwards = torch.arange(len(seen.stamp)).flip(0)
    assert voc(seen.take(backwards, stamp=seen.stamp).estimate(fitted(shared, learnt)).progress[0]) < -0.5


@pytest.mark.parametrize(("learnt", "tested"), BOTH_WAYS)
def test_a_scene_that_stands_still_makes_no_progress(shared, learnt, tested):
    """Exactly 0, with camera noise as without."""
    model, source, seen = fitted(shared, learnt), table_clearing(shared), footage(shared, tested)
    frozen = seen.take(torch.zeros(len(seen.stamp), dtype=torch.int64), stamp=seen.stamp).estimate(model)
    assert bool((frozen.progress == frozen.progress[0, 0]).all())
    first = next(source.clips(source.episodes[tested], num_frames=1))
    start = cleared(shared, tested).target[0]
    outcomes = static_control(first, model, progress=start, noise=SensorNoise(), seed=0, fps=source.fps / EVERY)
    assert abs(sum(outcome.voc.value for outcome in outcomes) / len(outcomes)) <= 0.1


@pytest.mark.parametrize("tested", [0, 1, 2])
def test_another_robot_with_one_camera(shared, tested):
    """Fitted to two recordings without labels: .997, .995, .994; with other seeds .991 at least."""
    source = LeRobotEpisodes(shared / "episodes/g1_lerobot_real", select="present")
    clips = [embedded(source, number, squeezenet(shared)) for number in range(3)]
    lessons = [LabelledClip(clip=clip, success=True) for number, clip in enumerate(clips) if number != tested]
    estimate = ProcessReward(squeezenet(shared)).fitted_to(lessons).estimate_embedded(clips[tested])
    assert voc(estimate.progress[0]) >= 0.985
