import json
import math

import pytest
import torch
from chat_server import ChatServer, client, completion, first_token

from robo_reward.errors import OutputError
from robo_reward.perception.vlm import NoReply, Question, VisionLanguageModel
from robo_reward.perception.vlm_cache import CachedVlm

RED = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None].expand(3, 6, 8)
QUESTIONS = [Question(parts=(f"question {index}", RED)) for index in range(3)]
LOGPROBS = {"yes": math.log(0.7), "no": math.log(0.2)}


def another_answer_each_time(asked):
    if asked.json.get("logprobs"):
        asked.answer(first_token({"yes": math.log(0.1 + 0.01 * asked.number), "no": math.log(0.2)}))
    else:
        asked.answer(completion(f"{asked.text}, answer {asked.number} ü"))


def test_each_question_is_asked_once_and_keeps_its_reply(tmp_path):
    with ChatServer(another_answer_each_time) as server:
        first = CachedVlm(client(server), tmp_path).ask(QUESTIONS)
        again = CachedVlm(client(server), tmp_path).ask([*reversed(QUESTIONS)])
        assert again == [*reversed(first)]
        assert len(server.asked) == 3
    assert all(reply.startswith(f"question {index}") for index, reply in enumerate(first))


def test_probabilities_are_kept_bit_for_bit_and_apart_from_replies(tmp_path):
    with ChatServer(another_answer_each_time) as server:
        vlm = CachedVlm(client(server), tmp_path)
        first = vlm.choose(QUESTIONS, ["yes", "no"])
        assert torch.equal(vlm.choose(QUESTIONS, [" Yes", "NO"]), first)
        assert len(server.asked) == 3
        assert vlm.choose(QUESTIONS, ["no", "yes"]).shape == (3, 2)  # another question: other choices
        vlm.ask(QUESTIONS)
        assert len(server.asked) == 9


def test_equal_questions_of_one_call_are_asked_once(tmp_path):
    same = [Question(parts=("question 0", RED.clone())) for _ in range(5)]
    with ChatServer(another_answer_each_time) as server:
        vlm = CachedVlm(client(server), tmp_path)
        assert len(set(vlm.ask([*same, QUESTIONS[1]]))) == 2
        assert len(server.asked) == 2
        assert bool((vlm.choose(same, ["yes", "no"]).std(dim=0) == 0).all())
        assert len(server.asked) == 3


def test_failures_are_not_kept(tmp_path):
    def behave(asked):
        asked.answer(b"{" if asked.number < 2 else completion("yes"))

    with ChatServer(behave) as server:
        vlm = CachedVlm(client(server), tmp_path)
        assert isinstance(vlm.ask(QUESTIONS[:1])[0], NoReply)
        assert bool(vlm.choose(QUESTIONS[:1], ["yes", "no"]).isnan().all())
        assert list(tmp_path.rglob("*.json")) == []
        assert vlm.ask(QUESTIONS[:1]) == ["yes"]
    assert len(list(tmp_path.rglob("*.json"))) == 1


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 9000,
        b'{"reply": "forged"}',
        b'{"reply": "forged", "check": "0"}',
        b'{"reply": {"a": 1}, "check": null}',
    ],
)
def test_a_damaged_file_is_asked_again_and_replaced(tmp_path, damage):
    with ChatServer(lambda asked: asked.answer(completion("yes"))) as server:
        vlm = CachedVlm(client(server), tmp_path)
        vlm.ask(QUESTIONS[:1])
        (file,) = tmp_path.rglob("*.json")
        file.write_bytes(damage)
        assert vlm.ask(QUESTIONS[:1]) == ["yes"]
        assert len(server.asked) == 2
        assert vlm.ask(QUESTIONS[:1]) == ["yes"]
        assert len(server.asked) == 2


def test_a_file_moved_to_another_question_is_not_believed(tmp_path):
    with ChatServer(another_answer_each_time) as server:
        vlm = CachedVlm(client(server), tmp_path)
        vlm.ask(QUESTIONS[:1])
        (kept,) = tmp_path.rglob("*.json")
        vlm.ask(QUESTIONS[1:2])
        (other,) = set(tmp_path.rglob("*.json")) - {kept}
        other.write_bytes(kept.read_bytes())
        assert vlm.ask(QUESTIONS[1:2])[0].startswith("question 1")
        assert len(server.asked) == 3


def test_no_unfinished_file_stays_and_what_is_kept_can_be_read_by_a_person(tmp_path):
    with ChatServer(another_answer_each_time) as server:
        CachedVlm(client(server), tmp_path).ask(QUESTIONS)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json"}
    assert json.loads(next(tmp_path.rglob("*.json")).read_text())["reply"].startswith("question")


def test_another_model_or_sampling_is_asked_anew(tmp_path):
    with ChatServer(another_answer_each_time) as server:
        CachedVlm(client(server), tmp_path).ask(QUESTIONS)
        CachedVlm(client(server, temperature=0.5), tmp_path).ask(QUESTIONS)
        assert len(server.asked) == 6


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with ChatServer(lambda asked: asked.answer(completion("yes"))) as server:
        vlm = CachedVlm(client(server), tmp_path / "file")
        with pytest.raises(OutputError, match=str(tmp_path / "file")):
            vlm.ask(QUESTIONS[:1])


def test_it_is_the_model_that_it_keeps_the_replies_of(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = client("http://127.0.0.1:1/v1")
    vlm = CachedVlm(model)
    assert isinstance(vlm, VisionLanguageModel)
    assert (vlm.model, vlm.version) == (model, model.version)
    assert vlm.folder == tmp_path / "robo_reward" / "replies"
    assert vlm.ask([]) == []
    assert vlm.choose([], ["yes", "no"]).shape == (0, 2)
