import json
import random

import pytest
import torch
from chat_server import ChatServer, client, completion
from scipy.stats import spearmanr

from robo_reward.errors import DataSetError
from robo_reward.models.bradley_terry import BradleyTerry, ComparedRows
from robo_reward.models.preference_labels import PreferenceLabeller
from robo_reward.models.preference_pairs import FrameReference, PreferencePair, read_pairs, write_pairs

DECIDE = "Somebody compared two pictures"
FRAMES = 30


def pictures(reference: FrameReference) -> dict[str, torch.Tensor]:
    """Pictures that get brighter; the last two are alike."""
    level = 8 * min(reference.frame, FRAMES - 2)
    return {"front": torch.full((3, 6, 8), level, dtype=torch.uint8)}


def pair(first: int, second: int) -> PreferencePair:
    return PreferencePair(
        first=FrameReference(episode=0, frame=first), second=FrameReference(episode=0, frame=second), label=None
    )


def answers(verdict, *, bias: float = 0.0):
    """Compares mean brightness, the first picture's with a bias; the verdict is said of the two numbers."""

    def behave(asked):
        if asked.text.startswith(DECIDE):
            words = asked.text.split("BRIGHT ")[1].split()
            asked.answer(completion(verdict(float(words[0]), float(words[1]))))
        else:
            assert "the lamp is bright" in asked.text
            first, second = (picture.mean() for picture in asked.pictures)
            asked.answer(completion(f"I see. BRIGHT {first + bias} {second} as you can see."))

    return behave


def honest(first: float, second: float) -> str:
    return "-1" if first == second else str(int(second > first))


def labelled(behave, pairs):
    with ChatServer(behave) as server:
        found = PreferenceLabeller(client(server), task="the lamp is bright")(pairs, pictures=pictures)
        return found, server.asked


def test_two_stages_in_both_orders_give_the_label_over_http():
    found, asked = labelled(answers(honest), [pair(2, 9), pair(20, 4)])
    assert [each.label for each in found.pairs] == [1, 0]
    assert found.dropped == {}
    assert found.pairs[0].first == FrameReference(episode=0, frame=2)
    assert sorted(len(each.pictures) for each in asked) == [0] * 4 + [2] * 4
    shown = [[int(picture.mean()) for picture in each.pictures] for each in asked if each.pictures]
    assert sorted(shown) == [[16, 72], [32, 160], [72, 16], [160, 32]]


def test_a_model_that_prefers_a_place_has_its_doubtful_labels_dropped():
    """A bias of 40 towards the first picture: what differs by less is answered by the place, in both orders."""
    found, _ = labelled(answers(honest, bias=40.5), [pair(2, 4), pair(2, 9), pair(9, 2), pair(4, 2)])
    assert [each.label for each in found.pairs] == [None, 1, 0, None]
    assert found.dropped == {"orders disagree": 2}


def test_a_model_that_always_says_the_same_labels_nothing():
    for word in ("0", "1"):
        found, _ = labelled(answers(lambda *_, word=word: word), [pair(2, 4), pair(9, 3)])
        assert [each.label for each in found.pairs] == [None, None]
        assert found.dropped == {"orders disagree": 2}


def test_unsure_in_one_order_is_unsure():
    def verdict(first, second):
        return "-1" if first > second else "1"

    found, _ = labelled(answers(verdict), [pair(2, 9)])
    assert found.pairs[0].label is None
    assert found.dropped == {"unsure": 1}


def test_frames_that_no_camera_tells_apart_are_not_asked():
    found, asked = labelled(answers(honest), [pair(FRAMES - 1, FRAMES - 2)])
    assert found.dropped == {"alike": 1}
    assert asked == []


def test_frames_that_no_camera_saw_have_no_label():
    with ChatServer(answers(honest)) as server:
        label = PreferenceLabeller(client(server), task="the lamp is bright")
        found = label([pair(1, 2)], pictures=lambda reference: {} if reference.frame == 2 else pictures(reference))
        assert found.pairs[0].label is None
        assert sum(found.dropped.values()) == 1
        assert server.asked == []


MALFORMED = [
    "",
    " ",
    "yes",
    "01",
    "1 or 0",
    "2",
    "0.",
    "1.0",
    "-2",
    "Image 1",
    "0\n1",
    "١",
    "<score>1</score>",
    "None",
    "10",
]


def test_malformed_verdicts_are_no_labels():
    generator = random.Random(0)
    pairs = [pair(*generator.sample(range(FRAMES - 1), 2)) for _ in range(100)]

    def behave(asked):
        if not asked.text.startswith(DECIDE):
            return asked.answer(completion("a comparison"))
        kind = asked.number % 3
        if kind == 0:
            return asked.answer(completion(MALFORMED[asked.number % len(MALFORMED)]))
        return asked.send_raw(b"nonsense\r\n\r\n") if kind == 1 else asked.answer({"choices": []})

    with ChatServer(behave) as server:
        label = PreferenceLabeller(client(server, retries=0), task="the lamp is bright")
        found = label(pairs, pictures=pictures)
    assert all(each.label is None for each in found.pairs)
    assert sum(found.dropped.values()) == 100
    assert "not a verdict" in found.dropped


def test_an_empty_comparison_is_not_decided_upon():
    class Silent:
        version = "silent"

        def __init__(self):
            self.asked = []

        def ask(self, questions):
            self.asked += questions
            return [""] * len(questions)

        def choose(self, questions, choices):
            raise AssertionError

    model = Silent()
    found = PreferenceLabeller(model, task="the lamp is bright")([pair(1, 2)], pictures=pictures)
    assert found.dropped == {"empty comparison": 1}
    assert len(model.asked) == 2


def test_labels_of_an_honest_model_teach_the_reward():
    generator = random.Random(1)
    pairs = [pair(*generator.sample(range(FRAMES - 1), 2)) for _ in range(30)]
    found, _ = labelled(answers(honest, bias=10.5), pairs)
    kept = [each for each in found.pairs if each.label is not None]
    assert 20 <= len(kept) <= 30
    features = torch.randn(2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = torch.stack([torch.arange(FRAMES) / FRAMES, torch.ones(FRAMES)], dim=1).double() @ features
    compared = ComparedRows(
        first=rows[[each.first.frame for each in kept]],
        second=rows[[each.second.frame for each in kept]],
        label=torch.tensor([each.label for each in kept], dtype=torch.float64),
        groups=torch.arange(len(kept))[:, None].expand(-1, 2) + 0,
    )
    scores = BradleyTerry.untrained(4, hidden=4, seed=0).fitted_to(compared)(rows).mean(dim=0)
    assert spearmanr(scores.numpy(), range(FRAMES)).statistic > 0.95


def test_an_empty_task_and_another_template_are_refused():
    with ChatServer(answers(honest)) as server:
        with pytest.raises(ValueError, match="task is empty"):
            PreferenceLabeller(client(server), task=" ")
        with pytest.raises(ValueError, match=r"unknown field \{comparison\}"):
            PreferenceLabeller(client(server), task="x", compare="preference_decide")
        with pytest.raises(FileNotFoundError, match="no prompt template"):
            PreferenceLabeller(client(server), task="x", decide="absent")


def test_a_persons_labels_are_kept_as_json_lines(tmp_path):
    path = tmp_path / "pairs.jsonl"
    pairs = [
        PreferencePair(first=FrameReference(episode=1, frame=2), second=FrameReference(episode=3, frame=4), label=label)
        for label in (0, 1, None)
    ]
    write_pairs(path, pairs)
    assert read_pairs(path) == pairs
    assert json.loads(path.read_text().splitlines()[2]) == {
        "first": {"episode": 1, "frame": 2},
        "second": {"episode": 3, "frame": 4},
        "label": None,
    }
    path.write_text("\n" + path.read_text() + "\n")
    assert read_pairs(path) == pairs


GOOD = {"first": {"episode": 0, "frame": 1}, "second": {"episode": 0, "frame": 2}, "label": 1}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        json.dumps(GOOD | {"label": 2}),
        json.dumps(GOOD | {"label": True}),
        json.dumps(GOOD | {"label": "1"}),
        json.dumps(GOOD | {"first": 3}),
        json.dumps(GOOD | {"first": {"episode": -1, "frame": 0}}),
        json.dumps(GOOD | {"first": {"episode": 0, "frame": 1.0}}),
        json.dumps(GOOD | {"first": {"episode": 0}}),
        json.dumps(GOOD | {"who": "me"}),
        json.dumps({name: GOOD[name] for name in ("first", "second")}),
    ],
)
def test_a_line_that_is_no_pair_is_named_by_its_number(tmp_path, line):
    path = tmp_path / "pairs.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{line}\n")
    with pytest.raises(DataSetError, match="line 2: expected"):
        read_pairs(path)
