import pytest
import torch

from robo_reward.perception.vlm import NoReply
from robo_reward.perception.vlm_prompt import PROMPTS, PromptTemplate

A, B, C, D = (torch.full((3, 2, 2), number, dtype=torch.uint8) for number in range(4))
NAMES = {id(A): "A", id(B): "B", id(C): "C", id(D): "D"}
OF_THE_PROJECT = {
    "relative_hop": (["task"], ["start", "goal", "before", "after"]),
    "success": (["task"], ["frames"]),
    "progress": (["task"], ["frames"]),
    "stated_progress": (["task"], ["frames"]),
    "preference_compare": (["task"], ["before", "after"]),
    "preference_decide": (["task", "comparison"], []),
    "key_point_plan": (["task", "marks", "most", "chosen", "form", "correction"], ["frames"]),
}


def rendered(text, *, fields=None, **pictures):
    """The question with pictures written as their letters between bars."""
    template = PromptTemplate(text, fields=list(fields or {}), slots=[])
    question = template.render(fields=fields, pictures=pictures)
    if isinstance(question, NoReply):
        return question
    return "".join(part if isinstance(part, str) else f"|{NAMES[id(part)]}|" for part in question.parts)


def test_a_slot_shows_every_camera_behind_its_label():
    found = rendered("then\n<before>\nnow\n<after>\n", before=[{"front": A, "wrist": B}], after=[{"front": C}])
    assert found == "then\ncamera front: |A|\ncamera wrist: |B|\nnow\ncamera front: |C|"


def test_several_moments_are_numbered():
    found = rendered("<frames>!", frames=[{"front": A, "wrist": B}, {"wrist": C}])
    assert found == (
        "moment 1 of 2, camera front: |A|\nmoment 1 of 2, camera wrist: |B|\nmoment 2 of 2, camera wrist: |C|!"
    )


def test_a_slot_of_one_camera_shows_it_bare_and_in_the_order_of_the_template():
    views = {"before": [{"front": A, "wrist": B}], "goal": [{"front": C}]}
    assert rendered("<goal:front><before:wrist><before:front>", **views) == "|C||B||A|"


def test_a_camera_with_a_colon_or_dots_in_its_name_can_be_shown():
    assert rendered("<before:rig:observation.images.front>", before=[{"rig:observation.images.front": A}]) == "|A|"


@pytest.mark.parametrize("text", ["x <before>", "x <before:front>"])
def test_a_slot_without_a_picture_makes_no_question(text):
    assert rendered(text, before=[{}]) == NoReply(reason="no camera has a picture for <before>")


def test_one_camera_alone_has_no_gaps():
    assert isinstance(rendered("<frames:front>", frames=[{"front": A}, {"wrist": B}]), NoReply)
    assert rendered("<frames:front>", frames=[{"front": A}, {"front": B}]) == "|A||B|"


def test_words_are_filled_in_and_never_searched_again():
    task = "put {task} <before> into $x {{"
    assert rendered("`{task}` {{kept}} <score>+NN%</score> <before>", fields={"task": task}, before=[{"f": A}]) == (
        f"`{task}` {{kept}} <score>+NN%</score> camera f: |A|"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<before> <after>", "lacks {task}"),
        ("{task} <before> <afer>", "lacks <after>; it has"),
        ("{task} {tsak} <before> <after>", r"unknown field {tsak}; allowed: \['task'\]"),
        ("{task} {} <before> <after>", "unknown field {}"),
        ("{task.__class__} <before> <after>", "unknown field"),
        ("{task!r} <before> <after>", "unknown field"),
        ("{task:>20} <before> <after>", "unknown field"),
        ("{task} { <before> <after>", "must be doubled"),
        ("{task} } <before> <after>", "must be doubled"),
    ],
)
def test_a_faulty_template_is_refused_with_its_file(tmp_path, text, message):
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(ValueError, match=f"mine.txt: .*{message}"):
        PromptTemplate.read(tmp_path / "mine.txt", fields=["task"], slots=["before", "after"])


def test_rendering_wants_the_words_and_pictures_of_the_template():
    template = PromptTemplate("{task} <before>", fields=["task"], slots=["before"])
    with pytest.raises(ValueError, match=r"fields \['task'\], got words for \['goal'\]"):
        template.render(fields={"goal": "x"}, pictures={"before": [{"f": A}]})
    with pytest.raises(ValueError, match=r"shows <before>, there are pictures for \['after'\]"):
        template.render(fields={"task": "x"}, pictures={"after": [{"f": A}]})


@pytest.mark.parametrize("name", OF_THE_PROJECT)
def test_the_templates_of_the_project_can_be_read_by_name_and_rendered(name):
    fields, slots = OF_THE_PROJECT[name]
    template = PromptTemplate.read(name, fields=fields, slots=slots)
    pictures = {slot: [{"front": A, "wrist": B}] for slot in slots}
    question = template.render(fields={field: f"some {field}" for field in fields}, pictures=pictures)
    assert not isinstance(question, NoReply)
    assert len(question.pictures) == 2 * len(slots)
    words = "".join(part for part in question.parts if isinstance(part, str))
    assert all(f"some {field}" in words for field in fields)
    assert "{" not in words
    assert "task" not in fields or "`some task`" in words or "goal" in words


def test_every_template_of_the_project_is_tested_here():
    assert {path.stem for path in PROMPTS.glob("*.txt")} == set(OF_THE_PROJECT)


def test_the_hop_prompt_shows_references_first_and_says_how_to_answer():
    template = PromptTemplate.read("relative_hop", fields=["task"], slots=["start", "goal", "before", "after"])
    views = {"start": [{"f": A}], "goal": [{"f": B}], "before": [{"f": C}], "after": [{"f": D}]}
    question = template.render(fields={"task": "stack"}, pictures=views)
    assert [NAMES[id(picture)] for picture in question.pictures] == ["A", "B", "C", "D"]
    assert question.parts[-1].endswith("<score>+NN%</score>")


def test_an_absent_template_names_those_of_the_project(tmp_path):
    with pytest.raises(FileNotFoundError, match="relative_hop"):
        PromptTemplate.read(tmp_path / "absent.txt", fields=[], slots=[])


def test_a_template_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="mine.txt"):
        PromptTemplate.read(tmp_path / "mine.txt", fields=[], slots=[])


def test_the_version_is_of_the_text():
    texts = ["a", "b", "a\n"]
    assert len({PromptTemplate(text, fields=[], slots=[]).version for text in texts}) == 2
