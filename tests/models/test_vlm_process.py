"""Progress integrated from hops that servers and scripted models tell, asked no more often than is needed."""

import math

import pytest
import torch
from chat_server import ChatServer, client, completion
from fake_vlm import GreenVlm
from hydra.utils import instantiate
from malformed import misbehave
from omegaconf import OmegaConf
from PIL import Image
from reward_model import CONTRACT, absent, cut, random_clip
from test_vlm_hops import GOAL_PICTURES, START_PICTURES, clip_of, look, picture

from robo_reward import RewardModel, RewardStream
from robo_reward.cli.configuration import compose_verb
from robo_reward.models.relative_hop import GOAL, START, Hops, relative_hop
from robo_reward.models.vlm_hops import VlmHops
from robo_reward.models.vlm_process import VlmProcess
from robo_reward.reward_model import RecurrentRewardModel

INTEGRATIONS = ("incremental", "forward", "backward", "mean", "consistent")
WITHOUT_START = "{task} <goal> <before> <after>"


def process(vlm, *, start=START_PICTURES, goal=GOAL_PICTURES, template="relative_hop", spread=0.2, **changes):
    source = VlmHops(vlm, task="make it green", start=start, goal=goal, template=template, spread=spread)
    return VlmProcess(source, **{"stride": 1} | changes)


class Oracle:
    """A source that measures how green the first camera's picture is; silent about the moments in `silent`."""

    version, references = "oracle", frozenset({START, GOAL})

    def __init__(self, *, silent=(), spread=0.1, bias=0.0):
        self.asked, self.silent, self.spread, self.bias = [], silent, spread, bias

    def hops(self, seen, before, after):
        level = {t: float(seen.views["front"][0, t, 1].double().mean()) / 200 for t in range(seen.stamp.shape[1])}
        level |= {START: 0.0, GOAL: 1.0}
        pairs = list(zip(before.tolist(), after.tolist(), strict=True))
        self.asked.append([(round(level[p], 2), round(level[q], 2)) for p, q in pairs])
        true = torch.tensor([[level[p], level[q]] for p, q in pairs], dtype=torch.float64).T
        value = (relative_hop(*true) - self.bias * (before == START)).clamp(-1, 1)
        told = torch.tensor([round(level[q], 2) not in self.silent for _, q in pairs])
        value = torch.where(told, value, torch.nan)[None]
        return Hops(value=value, spread=value * 0 + self.spread)


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_contract(integration, law):
    law(process(GreenVlm(), integration=integration))


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_contract_where_progress_is_held_between_judged_frames(law):
    law(process(GreenVlm(), stride=3))


def test_an_oracle_behind_a_server_gives_the_true_progress_by_every_integration():
    true = [0.0, 0.25, 0.5, 0.75, 1.0]
    with ChatServer(look) as server:
        for integration in INTEGRATIONS:
            estimate = process(client(server), integration=integration).estimate(clip_of(true))
            assert estimate.progress[0].tolist() == pytest.approx(true, abs=1e-3), integration
            assert not bool(estimate.abstained.any())


def test_a_stream_over_http_gives_the_batch_bit_for_bit():
    law = next(law for law in CONTRACT if law.__name__ == "streams_what_it_gives_in_a_batch_bit_for_bit")

    def answer(asked):
        asked.answer(completion(f"<score>{float(asked.last_picture[..., 1].mean()) / 2.55:+.3f}%</score>"))

    with ChatServer(answer) as server:
        law(process(client(server), stride=2))


def test_a_step_back_is_seen_as_one():
    true = [0.2, 0.8, 0.4, 0.6]
    found = VlmProcess(Oracle(), integration="mean", stride=1).estimate(clip_of(true)).progress[0]
    assert found.tolist() == pytest.approx(true, abs=0.005)


@pytest.mark.parametrize(
    ("integration", "questions"),
    [("incremental", 1), ("forward", 1), ("backward", 1), ("mean", 3), ("consistent", 3)],
)
def test_only_judged_frames_are_asked_about_and_only_what_is_needed(integration, questions):
    oracle = Oracle()
    model = VlmProcess(oracle, integration=integration, stride=4)
    model.estimate(clip_of([t / 10 for t in range(10)]))
    checks = [[(0.0, 1.0)]] if integration != "incremental" else []
    assert oracle.asked[: len(checks)] == checks
    (hops,) = oracle.asked[len(checks) :]  # all in one batch
    assert len(hops) == 3 * questions - (questions == 3)  # the first frame's hop from the start is asked once
    assert {after for _, after in hops} == {0.0, 0.4, 0.8}
    model.estimate(clip_of([0.5]))
    assert (0.0, 1.0) not in oracle.asked[-1]
    assert len(oracle.asked) == len(checks) + 2  # the references are compared once


def test_progress_is_held_between_judged_frames_counted_from_the_episodes_start():
    true = [0.2 + 0.06 * t for t in range(10)]
    model = VlmProcess(Oracle(), integration="incremental", stride=4)
    held = [0.2] * 4 + [0.44] * 4 + [0.68] * 2
    assert model.estimate(clip_of(true)).progress[0].tolist() == pytest.approx(held, abs=0.003)
    memory, pieces = None, []
    for start, stop in ((0, 3), (3, 4), (4, 6), (6, 10)):
        part, memory = model.resume(cut(clip_of(true), stop).latest(stop - start), memory)
        pieces.append(part)
    whole = model.estimate(clip_of(true))
    assert torch.equal(torch.cat([part.progress for part in pieces], dim=1), whole.progress)
    assert torch.equal(torch.cat([part.spread for part in pieces], dim=1), whole.spread)


@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_pieces_give_the_whole_where_the_source_is_silent_at_times(integration):
    clip = clip_of([t / 12 for t in range(12)], [1 - t / 12 for t in range(12)])
    model = VlmProcess(Oracle(silent=(0.25, 0.33)), integration=integration, stride=1)
    whole, memory, at = model.estimate(clip), None, 0
    assert bool(whole.abstained.any())
    for stop in (1, 4, 5, 12):
        part, memory = model.resume(cut(clip, stop).latest(stop - at), memory)
        assert torch.equal(part.progress.nan_to_num(-1), whole.progress[:, at:stop].nan_to_num(-1))
        assert torch.equal(part.spread.nan_to_num(-1), whole.spread[:, at:stop].nan_to_num(-1))
        at = stop


def test_a_frame_without_an_answer_is_an_abstention_and_the_next_goes_on_from_the_last_known():
    true = [0.0, 0.25, 0.5, 0.75]
    silent = Oracle(silent=(0.5,))
    estimate = VlmProcess(silent, integration="incremental", stride=1).estimate(clip_of(true))
    assert estimate.abstained[0].tolist() == [False, False, True, False]
    assert float(estimate.progress[0, 3]) == pytest.approx(0.25 + 0.75 * 0.5, abs=0.005)  # the lost step is lost …
    sure = VlmProcess(Oracle(), integration="incremental", stride=1).estimate(clip_of(true))
    assert float(estimate.spread[0, 3]) > 1.3 * float(sure.spread[0, 3])  # … and counts as doubt
    mean = VlmProcess(silent, integration="mean", stride=1).estimate(clip_of(true))
    assert float(mean.progress[0, 3]) == pytest.approx(0.75, abs=0.06)


def test_held_frames_of_an_episode_that_was_never_answered_are_abstentions():
    estimate = VlmProcess(Oracle(silent=(0.5,)), stride=3).estimate(clip_of([0.5] * 7))
    assert bool(estimate.abstained.all())


def test_a_hop_is_told_from_the_last_judged_frame_that_any_camera_saw():
    clip = clip_of([0.0, 0.2, 0.4, 0.6, 0.8])
    gone = torch.zeros_like(clip.present)
    gone[0, 2] = True
    oracle = Oracle()
    estimate = VlmProcess(oracle, integration="incremental", stride=1).estimate(absent(clip, gone))
    assert oracle.asked == [[(0.0, 0.0), (0.0, 0.2), (0.2, 0.6), (0.6, 0.8)]]
    assert estimate.abstained[0].tolist() == [False, False, True, False, False]
    assert estimate.progress[0, 3:].tolist() == pytest.approx([0.6, 0.8], abs=0.005)


def test_a_camera_that_was_lost_when_the_stream_began_may_come_back():
    stream = RewardStream(process(GreenVlm()), discount=0.9)
    for t, front in enumerate((None, picture(0.5), picture(0.6))):
        stream.step({"front": front, "wrist": picture(0.5, (4, 4))}, stamp=float(t))
    assert stream.abstentions == 0
    with pytest.raises(ValueError, match="camera 'wrist' changed the size of its frames"):
        stream.step({"front": picture(0.5), "wrist": picture(0.5, (8, 8))}, stamp=3.0)


@pytest.mark.parametrize("integration", INTEGRATIONS)
def test_the_spread_is_what_the_docstring_says(integration):
    sigma, true, bias = 0.1, (0.3, 0.6), 0.2
    found = VlmProcess(Oracle(spread=sigma, bias=bias), integration=integration, stride=1).estimate(clip_of(true))
    last, variance = 0.0, 0.0
    for t, level in enumerate(true):
        before = 0.0 if t == 0 else true[0]
        hop = (level - before) / (1 - before) - (bias if t == 0 else 0)
        alone = {"incremental": last + (1 - last) * hop, "forward": level - bias, "backward": level}
        own = {"forward": sigma**2, "backward": sigma**2}
        own["incremental"] = (1 - hop) ** 2 * variance + ((1 - last) * sigma) ** 2
        names = [integration] if integration in alone else list(alone)
        now = float(found.progress[0, t])
        variance = sum(own[name] + (alone[name] - now) ** 2 for name in names) / len(names)
        assert float(found.spread[0, t]) == pytest.approx(math.sqrt(variance), abs=2e-3)
        last = now


def test_a_goal_that_looks_like_the_start_is_refused_where_an_integration_is_anchored_to_it():
    with ChatServer(look) as server:
        for integration in ("forward", "backward", "mean", "consistent"):
            model = process(client(server), goal=START_PICTURES, integration=integration)
            with pytest.raises(ValueError, match="goal picture looks like the start picture"):
                model.estimate(clip_of([0.0, 0.5]))
        model = process(client(server), goal=START_PICTURES, integration="incremental")
        assert model.estimate(clip_of([0.0, 0.5])).progress[0].tolist() == pytest.approx([0, 0.5], abs=1e-3)


def test_references_about_which_nobody_says_anything_are_asked_about_again(tmp_path):
    def behave(asked):
        look(asked) if asked.number > 1 else asked.answer(completion("no idea"))

    with ChatServer(behave) as server:
        model = process(client(server), integration="backward")
        model.estimate(clip_of([0.5]))
        model.estimate(clip_of([0.5]))
        model.estimate(clip_of([0.5]))
        assert len(server.asked) == 3 + 2


def test_a_source_without_the_start_serves_what_needs_none(tmp_path):
    template = tmp_path / "own.txt"
    template.write_text(WITHOUT_START)
    model = process(GreenVlm(), start=None, template=template, integration="backward")
    assert not bool(model.estimate(random_clip()).abstained.any())
    for integration in ("incremental", "forward", "mean", "consistent"):
        with pytest.raises(ValueError, match="needs a picture of the start"):
            process(GreenVlm(), start=None, template=template, integration=integration)


def test_malformed_replies_are_abstentions_throughout():
    with ChatServer(lambda asked: misbehave(asked, seed=asked.number)) as server:
        vlm = client(server, retries=0, read_timeout=2.0, deadline=2.0, concurrency=8)
        assert bool(process(vlm).estimate(random_clip(time=34)).abstained.all())
        assert len(server.asked) == 1 + 101


def test_the_memory_holds_one_moment_and_not_the_piece_that_it_came_with():
    _, memory = VlmProcess(Oracle(), stride=1).resume(clip_of([t / 20 for t in range(20)]), None)
    (row,) = memory.rows
    assert {camera: each.untyped_storage().nbytes() for camera, each in row.pictures.items()} == {
        "front": 3 * 6 * 8,
        "wrist": 3 * 4 * 4,
    }


def test_it_is_recurrent_and_its_version_tells_all_that_matters():
    base = VlmProcess(Oracle())
    assert isinstance(base, RecurrentRewardModel)
    assert base.context is None
    others = [VlmProcess(Oracle(), integration="forward"), VlmProcess(Oracle(), stride=9)]
    told = [process(GreenVlm(), spread=spread) for spread in (0.2, 0.3)]
    assert len({model.version for model in (base, *others, *told)}) == 5
    with pytest.raises(ValueError, match="stride must be >= 1, got 0"):
        VlmProcess(Oracle(), stride=0)
    with pytest.raises(Exception, match="integration"):
        VlmProcess(Oracle(), integration="sum")


def test_the_configuration_builds_it_and_it_asks_a_server(tmp_path):
    files = {}
    for name, pictures in (("start", START_PICTURES), ("goal", GOAL_PICTURES)):
        for camera, pixels in pictures.items():
            files[name, camera] = tmp_path / f"{name}_{camera}.png"
            Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(files[name, camera])
    here = "reward_model.source"
    pictures = [f"+{here}.{name}.{camera}={path}" for (name, camera), path in files.items()]
    empty = [f"{here}.start={{}}", f"{here}.goal={{}}"]
    with ChatServer(look) as server:
        vlm = [f"{here}.vlm.model.url={server.url}", f"{here}.vlm.model.model=tiny", f"{here}.vlm.folder={tmp_path}"]
        config = compose_verb("relabel", ["reward_model=vlm_process", *empty, *pictures, *vlm]).reward_model
        model = instantiate(OmegaConf.to_container(config), _convert_="all")
        assert isinstance(model, RewardModel)
        found = model.estimate(clip_of([0.25] * 10 + [0.75])).progress[0]
    assert found[[0, 9, 10]].tolist() == pytest.approx([0.25, 0.25, 0.75], abs=1e-3)
