"""Hops told by servers that really look at the pictures, and by servers that lie, break and fail."""

import math

import pytest
import torch
from chat_server import ChatServer, client, completion
from hypothesis import given
from hypothesis import strategies as st
from malformed import BAD_TEXT, misbehave
from PIL import Image

from robo_reward import Clip
from robo_reward.models.relative_hop import GOAL, START, follow_hop, relative_hop
from robo_reward.models.vlm_hops import VlmHops, parse_hop


def picture(progress, size=(6, 8)):
    """Green as far as the task is done."""
    return torch.tensor([0, round(200 * progress), 50], dtype=torch.uint8)[:, None, None].expand(3, *size)


def clip_of(*episodes, present=None):
    """Two cameras of different size; each frame as green as its progress."""
    front = torch.stack([torch.stack([picture(each) for each in episode]) for episode in episodes])
    wrist = torch.stack([torch.stack([picture(each, (4, 4)) for each in episode]) for episode in episodes])
    seen = torch.ones(*front.shape[:2], 2, dtype=torch.bool) if present is None else present
    stamp = torch.arange(front.shape[1], dtype=torch.float64).expand(len(episodes), -1).contiguous()
    return Clip(views={"front": front, "wrist": wrist}, present=seen, stamp=stamp)


START_PICTURES = {"front": picture(0), "wrist": picture(0, (4, 4))}
GOAL_PICTURES = {"front": picture(1), "wrist": picture(1, (4, 4))}


def hops_of(server, **changes):
    settings = {"task": "make it green", "start": START_PICTURES, "goal": GOAL_PICTURES, "spread": 0.1}
    return VlmHops(client(server), **settings | changes)


def green(pixels):
    return torch.tensor(float(pixels[0, 0, 1]) / 200, dtype=torch.float64)


def look(asked):
    """An oracle: measures the green of the first picture before and after, and answers as it was asked to."""
    shown = asked.pictures
    views = (len(shown) - 4) // 2  # two references of two cameras come first
    hop = float(relative_hop(green(shown[4]), green(shown[4 + views])))
    asked.answer(completion(f"The first <score>+99%</score> is a slip.\n<score>{100 * hop:+.2f}%</score>\n"))


def pair(*indices):
    return torch.tensor(indices)


PROGRESS = [0.0, 0.25, 0.5, 0.4, 0.75, 1.0]


def test_an_oracle_behind_a_server_gives_the_true_progress_by_every_integration():
    true = torch.tensor([PROGRESS, PROGRESS[::-1]], dtype=torch.float64)
    frames = torch.arange(6)
    with ChatServer(look) as server:
        source, clip = hops_of(server), clip_of(PROGRESS, PROGRESS[::-1])
        forward = source.hops(clip, torch.full((6,), START), frames)
        backward = source.hops(clip, torch.full((6,), GOAL), frames)
        steps = source.hops(clip, frames[:-1], frames[1:])
    assert torch.allclose(forward.value, true, atol=1e-4)
    assert torch.allclose(1 + backward.value, true, atol=1e-4)
    assert torch.allclose(follow_hop(true[:, :-1], steps.value), true[:, 1:], atol=1e-4)
    assert bool((steps.spread == 0.1).all())


def test_a_pair_shows_the_references_and_then_the_cameras_that_saw_both_moments():
    present = torch.ones(1, 3, 2, dtype=torch.bool)
    present[0, 1, 0] = False  # front is lost at 1
    present[0, 2] = False  # all are lost at 2
    with ChatServer(look) as server:
        value = hops_of(server).hops(clip_of([0, 0.5, 1], present=present), pair(0, 0, 1), pair(0, 1, 2)).value
    assert value.isnan().tolist() == [[False, False, True]]
    assert float(value[0, 1]) == pytest.approx(0.5, abs=1e-3)
    assert sorted(len(asked.pictures) for asked in server.asked) == [6, 8]  # the third pair was never asked
    (short,) = [asked for asked in server.asked if len(asked.pictures) == 6]
    assert "camera wrist" in short.text.split("BEFORE")[1]
    assert "camera front" not in short.text.split("BEFORE")[1]


def test_moments_without_a_common_camera_are_not_compared():
    present = torch.tensor([[[True, False], [False, True]]])
    with ChatServer(look) as server:
        hops = hops_of(server).hops(clip_of([0, 1], present=present), pair(0), pair(1))
    assert hops.value.isnan().tolist() == hops.spread.isnan().tolist() == [[True]]
    assert server.asked == []


@pytest.mark.parametrize("bad", [completion("I cannot tell."), b"{"])
def test_a_reply_that_cannot_be_read_abstains_and_is_not_a_hop_of_0(bad):
    def behave(asked):
        asked.answer(bad if asked.number == 1 else completion("<score>+0%</score>"))

    with ChatServer(behave) as server:
        vlm = client(server, concurrency=1)
        source = VlmHops(vlm, task="x", start=START_PICTURES, goal=GOAL_PICTURES, spread=0.1)
        value = source.hops(clip_of([0, 0.5, 1, 1]), pair(0, 1, 2), pair(1, 2, 3)).value
    assert value.nan_to_num(-9).tolist() == [[0.0, -9.0, 0.0]]


def test_the_last_frame_is_never_the_goal():
    with pytest.raises(TypeError, match="goal"):
        VlmHops(client("http://127.0.0.1:1/v1"), task="x", spread=0.1)  # pyright: ignore[reportCallIssue]


def test_references_are_read_from_files_and_change_the_version(tmp_path):
    Image.fromarray(GOAL_PICTURES["front"].permute(1, 2, 0).contiguous().numpy()).save(tmp_path / "goal.png")
    base = hops_of("http://127.0.0.1:1/v1", goal={"front": GOAL_PICTURES["front"]}).version
    assert hops_of("http://127.0.0.1:1/v1", goal={"front": str(tmp_path / "goal.png")}).version == base
    changes = [
        {"goal": {"front": START_PICTURES["front"]}},
        {"goal": {"wrist": GOAL_PICTURES["front"]}},
        {"start": {"front": GOAL_PICTURES["front"]}},
        {"task": "another"},
        {"spread": 0.2},
    ]
    given = {"goal": {"front": GOAL_PICTURES["front"]}}
    versions = {hops_of("http://127.0.0.1:1/v1", **given | change).version for change in changes}
    assert len(versions | {base}) == 1 + len(changes)


def test_the_wording_and_order_of_a_released_checkpoint_can_be_repeated(tmp_path):
    wording = "Task `{task}`.\n<start:front><goal:front><before:front><before:wrist><after:front><after:wrist>Score?"
    (tmp_path / "released.txt").write_text(wording)
    with ChatServer(lambda asked: asked.answer(completion("<score>+12%</score>"))) as server:
        source = hops_of(server, template=tmp_path / "released.txt")
        assert source.hops(clip_of([0.25, 0.5]), pair(0), pair(1)).value.tolist() == [[0.12]]
    (asked,) = server.asked
    assert asked.text == "Task `make it green`.\nScore?"
    assert [float(green(each)) for each in asked.pictures] == [0, 1, 0.25, 0.25, 0.5, 0.5]


def test_a_start_is_needed_only_where_it_is_shown_or_asked_about(tmp_path):
    (tmp_path / "no_start.txt").write_text("{task} <goal> <before> <after>")
    url = "http://127.0.0.1:1/v1"
    source = hops_of(url, start=None, template=tmp_path / "no_start.txt")
    with pytest.raises(ValueError, match=r"index -1 is neither a frame of the clip \(0 to 1\)"):
        source.hops(clip_of([0, 1]), pair(START), pair(0))
    with pytest.raises(ValueError, match="shows <start>"):
        hops_of(url, start=None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": " "}, "task must say"),
        ({"goal": {}}, "at least one camera"),
        ({"start": {}}, "at least one camera"),
        ({"spread": 0}, r"spread must be in \(0, 1\]"),
        ({"spread": math.nan}, r"spread must be in \(0, 1\]"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        hops_of("http://127.0.0.1:1/v1", **changes)


@pytest.mark.parametrize(("before", "after"), [(0, 2), (-3, 0), (2, 0)])
def test_indices_outside_the_clip_are_refused(before, after):
    with pytest.raises(ValueError, match="neither a frame of the clip"):
        hops_of("http://127.0.0.1:1/v1").hops(clip_of([0, 1]), pair(before), pair(after))


def test_lists_of_different_length_are_refused():
    with pytest.raises((ValueError, TypeError)):
        hops_of("http://127.0.0.1:1/v1").hops(clip_of([0, 1]), pair(0, 1), pair(1))


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("+12%", 0.12),
        ("-3 %", -0.03),
        ("<score>+12%</score>", 0.12),
        ("<score>-3 %</score>", -0.03),
        ("<score>−3%</score>", -0.03),
        ("<score>+150%</score>", 1.0),
        ("<score>-999999%</score>", -1.0),
        ("<score>+12.5%</score>", 0.125),
        ("<score>12</score>", 0.12),
        ("<score>\n +0% \n</score>", 0.0),
        ("It is <score>+10%</score>, no: <score>-20%</score> I am sure.", -0.2),
    ],
)
def test_a_hop_is_read(text, hop):
    assert parse_hop(text) == pytest.approx(hop, abs=1e-15)


@pytest.mark.parametrize("text", BAD_TEXT)
def test_what_is_no_hop_is_not_read_as_one(text):
    assert math.isnan(parse_hop(text))


@given(st.text())
def test_no_text_makes_the_parser_fail_or_leave_its_range(text):
    for reply in (text, f"<score>{text}</score>", f"<score>{text}"):
        hop = parse_hop(reply)
        assert math.isnan(hop) or -1 <= hop <= 1


@given(st.text(alphabet="<score>/+-−0123456789.% eE\n", max_size=30))
def test_texts_that_look_like_hops_are_read_only_if_a_number_is_there(text):
    hop = parse_hop(text)
    assert math.isnan(hop) or any(digit in text for digit in "0123456789")


@given(st.floats(-1, 1), st.text())
def test_a_stated_hop_is_found_behind_any_words(hop, words):
    assert parse_hop(f"{words}<score>{100 * hop:+.1f}%</score>") == pytest.approx(hop, abs=6e-4)


@pytest.mark.slow
def test_a_thousand_malformed_replies_are_a_thousand_abstentions_and_good_ones_between_them_are_read():
    """Which frame a request is about stands in its picture; every tenth one is answered well."""
    frames = torch.zeros(1, 1101, 3, 4, 4, dtype=torch.uint8)
    number = torch.arange(1101)
    frames[0, :, 0] = (number // 256).byte()[:, None, None]
    frames[0, :, 1] = (number % 256).byte()[:, None, None]
    stamp = torch.arange(1101, dtype=torch.float64)[None]
    clip = Clip(views={"front": frames}, present=torch.ones(1, 1101, 1, dtype=torch.bool), stamp=stamp)
    good = torch.arange(1100) % 11 == 10

    def behave(asked):
        pixel = asked.last_picture[0, 0]
        index = 256 * int(pixel[0]) + int(pixel[1]) - 1
        if bool(good[index]):
            asked.answer(completion(f"<score>{index % 100}%</score>"))
        else:
            misbehave(asked, seed=index)

    with ChatServer(behave) as server:
        vlm = client(server, retries=0, concurrency=16, read_timeout=30.0, deadline=60.0)
        source = VlmHops(vlm, task="x", start={"front": picture(0)}, goal={"front": picture(1)}, spread=0.1)
        value = source.hops(clip, number[:-1], number[1:]).value[0]
    assert int(value.isnan().sum()) == int((~good).sum()) == 1000
    assert torch.equal(value[good], (torch.arange(1100)[good] % 100) / torch.tensor(100, dtype=torch.float64))
    assert len(server.asked) == 1100  # one request, and at most one reply, for each hop
    assert sum(vlm.no_replies.values()) > 500  # the others were whole replies with texts that are no hops
