import pytest
import torch

from robo_reward.perception.vlm import NoReply, Question, VisionLanguageModel, _check_part, check_choices
from robo_reward.perception.vlm_pictures import data_url, read_pictures
from robo_reward.perception.vlm_server import OpenAiServer
from robo_reward.perception.vlm_transformers import TransformersVlm

PICTURE = torch.arange(3 * 4 * 5, dtype=torch.uint8).reshape(3, 4, 5)


def test_both_models_have_what_the_protocol_asks_for():
    for kind in (OpenAiServer, TransformersVlm):
        assert all(hasattr(kind, name) for name in ("version", "ask", "choose"))
    assert not isinstance(object(), VisionLanguageModel)


def test_the_fingerprint_is_of_every_part_its_order_its_pixels_and_its_shape():
    one = Question(parts=("a", PICTURE, "b"))
    others = [
        ("b", PICTURE, "a"),
        ("a", PICTURE + 1, "b"),
        ("a", PICTURE.reshape(3, 5, 4), "b"),
        ("a", "b", PICTURE),
        ("a", PICTURE),
        ("ab", PICTURE),
    ]
    assert Question(parts=("a", PICTURE.clone(), "b")).fingerprint == one.fingerprint
    assert len({one.fingerprint, *(Question(parts=parts).fingerprint for parts in others)}) == 1 + len(others)


def test_texts_do_not_run_together_in_the_fingerprint():
    assert Question(parts=("ab", "c")).fingerprint != Question(parts=("a", "bc")).fingerprint


def test_a_question_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one part"):
        Question(parts=())
    with pytest.raises(ValueError, match="empty"):
        Question(parts=("a", ""))


@pytest.mark.parametrize(
    ("part", "error", "message"),
    [
        (PICTURE.float(), TypeError, "uint8"),
        (PICTURE.permute(1, 2, 0), ValueError, r"\(3, height, width\), got \(4, 5, 3\)"),
        (PICTURE[:, :0], ValueError, "height"),
        (b"bytes", TypeError, "bytes"),
    ],
)
def test_a_part_that_is_no_text_and_no_picture_is_refused(part, error, message):
    with pytest.raises(error, match=message):
        _check_part(part)


def test_choices_are_different_words():
    assert check_choices(["Yes ", "no"]) == ("yes", "no")
    for wrong in ([], ["yes", " "], ["yes", "YES"]):
        with pytest.raises(ValueError, match="different words"):
            check_choices(wrong)


def test_png_loses_nothing_and_jpeg_little(tmp_path):
    ramp = torch.linspace(0, 255, 3 * 32 * 48).reshape(3, 32, 48).to(torch.uint8)
    for kind, most in (("png", 0), ("jpeg", 12)):
        (tmp_path / kind).write_bytes(_decoded(data_url(ramp, picture_format=kind)))
        back = read_pictures({"front": tmp_path / kind})["front"]
        assert int((back.int() - ramp.int()).abs().max()) <= most


def _decoded(url: str) -> bytes:
    import base64

    head, content = url.split(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return base64.b64decode(content)


def test_pictures_that_are_none_are_refused_with_their_camera(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"camera 'front'.*no picture that can be read"):
        read_pictures({"front": tmp_path / "text.png"})
    with pytest.raises(FileNotFoundError, match="camera 'front'"):
        read_pictures({"front": tmp_path / "absent.png"})
    with pytest.raises(TypeError, match="uint8"):
        read_pictures({"front": PICTURE.double()})
    with pytest.raises(ValueError, match="height"):
        read_pictures({"front": PICTURE[0]})


def test_no_reply_is_no_text():
    assert not isinstance(NoReply(reason="silent"), str)
