"""A real processor, a real generation loop and a real chat template around random weights."""

import math

import pytest
import torch
from tiny_vlm import write_tiny_vlm

from robo_reward.errors import EncoderError
from robo_reward.perception.vlm import NoReply, Question, VisionLanguageModel
from robo_reward.perception.vlm_transformers import TransformersVlm

SETTINGS = {"device": "cpu", "precision": "float32", "max_tokens": 6, "batch_size": 1}
SMALL = {"shortest_edge": 64, "longest_edge": 256}  # pixels of a whole picture, at least and at most


def picture(seed, height=20):
    return torch.randint(0, 255, (3, height, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


QUESTIONS = [
    Question(parts=("is it there? ", picture(0), "say yes or no")),
    Question(parts=(picture(1), picture(2, height=32), "which one of these two is the later one?")),
    Question(parts=("no picture at all",)),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return str(write_tiny_vlm(tmp_path_factory.mktemp("tiny") / "vlm"))


@pytest.fixture(scope="module")
def alone(checkpoint):
    return TransformersVlm(checkpoint, **SETTINGS)


def test_it_is_a_vision_language_model(alone):
    assert isinstance(alone, VisionLanguageModel)


def test_a_reply_that_does_not_end_is_no_reply(alone):
    replies = alone.ask(QUESTIONS)
    assert replies == [NoReply(reason="the reply was cut at max_tokens")] * 3
    assert alone.no_replies["the reply was cut at max_tokens"] >= 3


def generated(vlm, question):
    """The tokens that the model says, found by hand: the likeliest next one, over and over."""
    (inputs,) = vlm._batches([question])
    tokens = vlm._model.generate(**inputs, max_new_tokens=6, do_sample=False)
    return tokens[0, inputs["input_ids"].shape[1] :].tolist()


def test_a_reply_is_what_the_model_says_until_its_end(checkpoint):
    vlm = TransformersVlm(checkpoint, **SETTINGS)
    said = generated(vlm, QUESTIONS[0])
    end = next(index for index in range(2, 6) if said[index] not in said[:index])
    vlm._model.generation_config.eos_token_id = [said[end]]
    tokeniser = vlm._processor.tokenizer
    assert vlm.ask(QUESTIONS[:1]) == [tokeniser.decode(said[: end + 1], skip_special_tokens=True)]


def test_replies_depend_on_the_pixels(alone):
    words = ["yes", "no"]
    seen = alone.choose([QUESTIONS[0], Question(parts=("is it there? ", picture(5), "say yes or no"))], words)
    assert float((seen[0] - seen[1]).abs().max()) > 1e-6


def test_probabilities_are_those_of_the_next_token_among_all_tokens(alone):
    found = alone.choose(QUESTIONS, ["yes", "no", "a"])
    assert found.shape == (3, 3)
    assert bool(((found > 0) & (found.sum(-1, keepdim=True) < 1)).all())
    (inputs,) = alone._batches(QUESTIONS[:1])
    with torch.inference_mode():
        logits = alone._model(**inputs).logits[0, -1].double()
    every = logits.softmax(-1)
    yes = [alone._processor.tokenizer.convert_tokens_to_ids(token) for token in ("yes", "Yes", "Ġyes")]
    assert float(found[0, 0]) == pytest.approx(float(every[yes].sum()), rel=1e-6)


def test_one_by_one_a_question_has_the_same_bits_whatever_else_is_asked(alone):
    together = alone.choose(QUESTIONS, ["yes", "no"])
    for row, question in enumerate(QUESTIONS):
        assert torch.equal(alone.choose([question], ["yes", "no"])[0], together[row])


def test_in_a_batch_probabilities_agree_to_rounding_and_replies_are_the_same(checkpoint, alone):
    batched = TransformersVlm(checkpoint, **SETTINGS | {"batch_size": 3})
    difference = batched.choose(QUESTIONS, ["yes", "no"]) / alone.choose(QUESTIONS, ["yes", "no"]) - 1
    assert float(difference.abs().max()) < 1e-4
    assert [generated(batched, question) for question in QUESTIONS] == [generated(alone, each) for each in QUESTIONS]
    assert batched.ask(QUESTIONS) == alone.ask(QUESTIONS)


def test_no_question_is_no_answer(alone):
    assert alone.ask([]) == []
    assert alone.choose([], ["yes", "no"]).shape == (0, 2)


def test_a_choice_of_several_tokens_is_refused(alone):
    with pytest.raises(ValueError, match="'maybe' is no single token"):
        alone.choose(QUESTIONS, ["yes", "maybe"])


def test_broken_weights_give_no_probability(checkpoint):
    vlm = TransformersVlm(checkpoint, **SETTINGS)
    with torch.no_grad():
        vlm._model.lm_head.weight.fill_(math.nan)
    assert bool(vlm.choose(QUESTIONS[:1], ["yes", "no"]).isnan().all())
    assert vlm.no_replies == {"the logits are not finite": 1}


def test_the_version_tells_weights_and_settings_apart(checkpoint, alone, tmp_path):
    other = write_tiny_vlm(tmp_path / "vlm", seed=1)
    versions = {alone.version, TransformersVlm(str(other), **SETTINGS).version.replace(str(other), checkpoint)}
    changes = [{"max_tokens": 7}, {"batch_size": 2}, {"processor": {"size": SMALL}}]
    versions |= {TransformersVlm(checkpoint, **SETTINGS | change).version for change in changes}
    assert len(versions) == 5
    assert TransformersVlm(checkpoint, **SETTINGS).version == alone.version


def test_the_version_is_of_the_chat_template_too(alone, tmp_path):
    folder = write_tiny_vlm(tmp_path / "vlm")
    same = TransformersVlm(str(folder), **SETTINGS).version.replace(str(folder), alone._name)
    assert same == alone.version
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("assistant", "robot"))
    assert TransformersVlm(str(folder), **SETTINGS).version.replace(str(folder), alone._name) != alone.version


def test_pickled_weights_are_refused(tmp_path):
    folder = write_tiny_vlm(tmp_path / "vlm")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="safetensors"):
        TransformersVlm(str(folder), **SETTINGS)


def test_settings_of_the_processor_are_used(checkpoint, alone):
    small = TransformersVlm(checkpoint, **SETTINGS, processor={"size": SMALL})
    ((few,), (many,)) = (
        [inputs["pixel_values"].shape[0] for inputs in vlm._batches(QUESTIONS[:1])] for vlm in (small, alone)
    )
    assert few < many


def test_a_checkpoint_that_is_none_is_refused_with_its_name(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match=f"'{tmp_path}' cannot be loaded"):
        TransformersVlm(str(tmp_path), **SETTINGS)


def test_a_model_that_nobody_knows_how_to_ask_is_refused(tmp_path):
    folder = write_tiny_vlm(tmp_path / "vlm")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(EncoderError, match="no chat template"):
        TransformersVlm(str(folder), **SETTINGS)


def test_without_the_library_the_error_says_what_to_install(checkpoint, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EncoderError, match=r"pip install 'robo-reward\[vlm\]'"):
        TransformersVlm(checkpoint, **SETTINGS)


@pytest.mark.parametrize("name", ["max_tokens", "batch_size"])
def test_sizes_are_positive(checkpoint, name):
    with pytest.raises(ValueError, match="must be >= 1"):
        TransformersVlm(checkpoint, **SETTINGS | {name: 0})
