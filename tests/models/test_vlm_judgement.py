import math

import pytest
import torch
from chat_server import ChatServer, client, completion, first_token
from fake_vlm import GreenVlm
from malformed import misbehave
from reward_model import CONTRACT, cut, random_clip
from tiny_vlm import write_tiny_vlm

from robo_reward import Clip, RewardStream
from robo_reward.models.success import SuccessModel
from robo_reward.models.vlm_judgement import VlmJudgement, VlmSuccess
from robo_reward.models.vlm_readings import StatedPercentage, TokenLogProbability, TokenProbability, YesOrNo
from robo_reward.perception.vlm import VisionLanguageModel
from robo_reward.perception.vlm_cache import CachedVlm
from robo_reward.perception.vlm_transformers import TransformersVlm
from robo_reward.reward_model import RecurrentRewardModel

READINGS = {
    "progress": TokenProbability(),
    "log progress": TokenLogProbability(floor=3.0),
    "stated_progress": StatedPercentage(),
}


def judgement(vlm, **changes):
    settings = {
        "task": "make it green",
        "template": "progress",
        "reading": TokenProbability(),
        "num_frames": 3,
        "stride": 2,
        "spread": 0.2,
    }
    return VlmJudgement(vlm, **settings | changes)


def success(vlm, **changes):
    return VlmSuccess(vlm, **{"task": "make it green", "reading": YesOrNo(), "num_frames": 1, "stride": 1} | changes)


def green_clip(*shares):
    """One camera, one episode; each frame as green as told."""
    level = torch.tensor([round(255 * share) for share in shares], dtype=torch.uint8)
    frames = torch.zeros(1, len(shares), 3, 4, 6, dtype=torch.uint8)
    frames[0, :, 1] = level[:, None, None]
    stamp = torch.arange(len(shares), dtype=torch.float64)[None]
    return Clip(views={"front": frames}, present=torch.ones(1, len(shares), 1, dtype=torch.bool), stamp=stamp)


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
@pytest.mark.parametrize("reading", READINGS)
def test_contract(reading, law):
    template = "stated_progress" if reading == "stated_progress" else "progress"
    law(judgement(GreenVlm(), template=template, reading=READINGS[reading]))


def answer_like_green(asked):
    """What `GreenVlm` says, over HTTP."""
    green = float(asked.last_picture[..., 1].mean()) / 255
    asked.answer(first_token({"Yes": math.log(green), " no": math.log(1 - green)}))


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_contract_over_http(law):
    with ChatServer(answer_like_green) as server:
        law(judgement(client(server)))


def test_a_server_and_a_model_in_this_process_give_the_same_progress():
    clip = random_clip(batch=2)
    with ChatServer(answer_like_green) as server:
        over_http = judgement(client(server)).estimate(clip)
    assert torch.allclose(over_http.progress, judgement(GreenVlm()).estimate(clip).progress, atol=1e-6)
    assert bool((over_http.spread == torch.tensor(0.2)).all())


def test_a_server_that_changes_its_mind_gives_one_reward_per_frame_behind_a_cache(tmp_path):
    def behave(asked):
        asked.answer(first_token({"yes": math.log(0.1 + 0.8 * (asked.number % 97) / 97), "no": math.log(0.01)}))

    law = next(law for law in CONTRACT if law.__name__ == "streams_what_it_gives_in_a_batch_bit_for_bit")
    with ChatServer(behave) as server:
        law(judgement(CachedVlm(client(server), tmp_path)))
        with pytest.raises(AssertionError):
            law(judgement(client(server)))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = write_tiny_vlm(tmp_path_factory.mktemp("tiny") / "vlm")
    return TransformersVlm(str(folder), device="cpu", precision="float32", max_tokens=4, batch_size=1)


@pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
def test_contract_with_a_model_of_transformers(law, tiny):
    law(judgement(tiny, num_frames=2, stride=3))


@pytest.mark.parametrize(
    ("reading", "progress"),
    [
        (TokenProbability(), [0.2, 0.6, 1.0]),
        (TokenProbability(negative=None), [0.2, 0.6, 1.0]),
        (TokenLogProbability(floor=2.0), [1 + math.log(0.2) / 2, 1 + math.log(0.6) / 2, 1.0]),
        (TokenLogProbability(floor=1.0), [0.0, 1 + math.log(0.6), 1.0]),
        (StatedPercentage(), [0.2, 0.6, 1.0]),
    ],
)
def test_readings_give_what_their_equations_say(reading, progress):
    found = judgement(GreenVlm(), reading=reading).estimate(green_clip(0.2, 0.6, 1.0)).progress
    assert found[0].tolist() == pytest.approx(progress, abs=1e-5)


def test_probabilities_are_set_against_each_other_or_taken_as_they_are():
    with ChatServer(lambda asked: asked.answer(first_token({"yes": math.log(0.3), "no": math.log(0.1)}))) as server:
        clip, vlm = green_clip(0.5), client(server)
        assert float(judgement(vlm).estimate(clip).progress) == pytest.approx(0.75)
        alone = judgement(vlm, reading=TokenProbability(negative=None))
        assert float(alone.estimate(clip).progress) == pytest.approx(0.3)


def test_each_question_shows_as_many_moments_however_late_the_frame():
    vlm = GreenVlm()
    judgement(vlm, num_frames=3, stride=2).estimate(green_clip(*[t / 10 for t in range(8)]))
    shown = [[round(float(picture[1, 0, 0]) / 25.5) for picture in question.pictures] for question in vlm.asked]
    assert shown == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 5], [2, 4, 6], [3, 5, 7]]


@pytest.mark.parametrize(("num_frames", "stride"), [(1, 1), (3, 2), (2, 6)])
def test_piece_by_piece_equals_whole_and_no_frame_is_asked_about_twice(num_frames, stride):
    clip, vlm = random_clip(time=9, batch=2), GreenVlm()
    model = judgement(vlm, num_frames=num_frames, stride=stride)
    whole, questions = model.estimate(clip), {question.fingerprint for question in vlm.asked}
    vlm.asked.clear()
    memory, progress = None, []
    for start, stop in [(0, 1), (1, 2), (2, 6), (6, 9)]:
        estimate, memory = model.resume(cut(clip, stop).latest(stop - start), memory)
        progress.append(estimate.progress)
    assert torch.equal(torch.cat(progress, dim=1), whole.progress)
    assert len(vlm.asked) == 18
    assert {question.fingerprint for question in vlm.asked} == questions


def test_a_stream_asks_one_question_per_frame():
    clip, vlm = random_clip(time=9), GreenVlm()
    assert isinstance(judgement(vlm), RecurrentRewardModel)
    stream = RewardStream(judgement(vlm), discount=0.9)
    for t in range(9):
        stream.step({camera: frames[0, t] for camera, frames in clip.views.items()}, stamp=float(t))
    assert len(vlm.asked) == 9


def test_frames_that_no_camera_saw_are_not_asked_about():
    clip = random_clip(time=4)
    gone = Clip(views=clip.views, present=clip.present & (torch.arange(4) != 2)[None, :, None], stamp=clip.stamp)
    vlm = GreenVlm()
    assert judgement(vlm).estimate(gone).abstained.tolist() == [[False, False, True, False]]
    assert len(vlm.asked) == 3


def test_a_reply_that_cannot_be_read_abstains():
    def behave(asked):
        asked.answer(b"{" if float(asked.last_picture[..., 1].mean()) > 200 else first_token({"yes": -1.0, "no": -2.0}))

    with ChatServer(behave) as server:
        estimate = judgement(client(server)).estimate(green_clip(0.1, 1.0, 0.2))
    assert estimate.abstained.tolist() == [[False, True, False]]


def test_a_stated_percentage_outside_its_range_is_no_progress():
    for said, progress in [("130%", None), ("-5%", None), ("100%", 1.0), ("0%", 0.0), ("about 5%", None)]:
        reply = completion(f"<progress>{said}</progress>")
        with ChatServer(lambda asked, reply=reply: asked.answer(reply)) as server:
            estimate = judgement(client(server), reading=StatedPercentage()).estimate(green_clip(0.5))
        assert estimate.progress[0].tolist() == [progress] or (progress is None and bool(estimate.abstained.all()))


@pytest.mark.parametrize(
    ("said", "probability"),
    [("Yes", 1.0), ("no.", 0.0), (" YES!\n", 1.0), ("maybe", None), ("yes and no", None), ("nope", None)],
)
def test_success_is_read_from_a_word(said, probability):
    with ChatServer(lambda asked: asked.answer(completion(said))) as server:
        found = success(client(server)).probability(green_clip(0.5))
    assert found.dtype == torch.float32
    assert found[0].tolist() == [probability] or (probability is None and bool(found.isnan().all()))


def test_success_is_read_from_probabilities_and_is_above_one_half_where_yes_is_likelier():
    model = success(GreenVlm(), reading=TokenProbability())
    assert isinstance(model, SuccessModel)
    found = model.probability(green_clip(0.1, 0.4, 0.6, 0.9))
    assert (found > 0.5).tolist() == [[False, False, True, True]]


@pytest.mark.slow
def test_300_malformed_probabilities_are_300_abstentions():
    clip = green_clip(*[0.0] * 300)
    clip.views["front"][0, :, 0] = (torch.arange(300) % 256).byte()[:, None, None]

    with ChatServer(lambda asked: misbehave(asked, seed=asked.number)) as server:
        model = judgement(client(server, retries=0, read_timeout=30.0, deadline=60.0), num_frames=1, stride=1)
        assert bool(model.estimate(clip).abstained.all())
        assert len(server.asked) == 300


def test_the_version_tells_all_settings_apart(tmp_path):
    (tmp_path / "mine.txt").write_text("{task} <frames>")
    base = judgement(GreenVlm()).version
    changes = [
        {"task": "another"},
        {"template": tmp_path / "mine.txt"},
        {"reading": YesOrNo()},
        {"reading": TokenProbability(negative=None)},
        {"num_frames": 2},
        {"stride": 1},
        {"spread": 0.1},
    ]
    versions = {judgement(GreenVlm(), **change).version for change in changes}
    assert len(versions | {base, success(GreenVlm()).version}) == 2 + len(changes)
    assert judgement(GreenVlm()).version == base


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": ""}, "task must say"),
        ({"num_frames": 0}, "num_frames and stride"),
        ({"stride": 0}, "num_frames and stride"),
        ({"spread": 0}, "spread"),
        ({"spread": 2}, "spread"),
        ({"template": "relative_hop"}, "lacks <frames>"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        judgement(GreenVlm(), **changes)


def test_readings_refuse_what_they_cannot_read():
    with pytest.raises(ValueError, match="different words"):
        TokenProbability(positive="yes", negative="Yes")
    with pytest.raises(ValueError, match="different words"):
        YesOrNo(positive="")
    with pytest.raises(ValueError, match="tag must be letters"):
        StatedPercentage(tag="<score>")
    for floor in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="floor must be > 0"):
            TokenLogProbability(floor=floor)


def test_the_fake_is_a_vision_language_model():
    assert isinstance(GreenVlm(), VisionLanguageModel)
