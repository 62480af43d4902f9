"""Laws of the rendered scenes, their captions, and the encoder that was trained on them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

# before anything else imports MuJoCo: it chooses OpenGL without a screen
pytest.importorskip("robo_reward_sim.rendering")
pytest.importorskip("metaworld")

import robo_reward.perception
from robo_reward.perception.torchvision_ops import declare_torchvision_ops
from robo_reward_sim.captioned_scenes.checkpoint import CONFIG, read_checkpoint, tokenize
from robo_reward_sim.captioned_scenes.collection import table_groups, tabletop_groups, write_shard
from robo_reward_sim.captioned_scenes.evaluate import embed_pictures, embed_texts
from robo_reward_sim.captioned_scenes.facts import Fact, closeness
from robo_reward_sim.captioned_scenes.objectives import matching_loss, progress_along, quantity_loss
from robo_reward_sim.captioned_scenes.phrases import phrase
from robo_reward_sim.captioned_scenes.pictures import Album
from robo_reward_sim.captioned_scenes.table_scene import TableScene
from robo_reward_sim.captioned_scenes.table_tasks import TABLE_TASKS
from robo_reward_sim.captioned_scenes.targets import draw_quantities, write_captions
from robo_reward_sim.rendering import Photographer, project

EMBEDDED = Path(robo_reward.perception.__file__).parent / "embedded"

DRAWER = [Fact("open", "drawer", "green", 1.0), Fact("near", "drawer handle", "", 0.0)]
SHUT = [Fact("open", "drawer", "red", 0.0), Fact("near", "drawer handle", "", 1.0)]
BUTTON = [Fact("pressed", "button", "red", 0.5), Fact("present", "button", "red", 1.0)]


def groups_from(seed: int, number: int = 3):
    return list(tabletop_groups(np.random.default_rng(seed), groups=number, render_size=64))


def test_the_same_seed_renders_the_same_pictures_and_facts_and_another_seed_does_not():
    first, again, other = groups_from(1), groups_from(1), groups_from(2)
    assert all(np.array_equal(one[0], two[0]) for one, two in zip(first, again, strict=True))
    assert [facts for _, facts, _ in first] == [facts for _, facts, _ in again]
    assert [facts for _, facts, _ in first] != [facts for _, facts, _ in other]


def test_pictures_of_a_group_show_different_states_of_one_scene():
    for pictures, facts, _ in groups_from(3):
        assert len(pictures) == len(facts) == 8
        nouns = {tuple(sorted({fact.noun for fact in stated if fact.kind == "present"})) for stated in facts}
        assert len(nouns) == 1
        assert any(not np.array_equal(pictures[0], picture) for picture in pictures[2:])


def test_the_facts_of_a_drawer_are_where_its_joint_and_the_gripper_are():
    scene, rng = TableScene(TABLE_TASKS["drawer"]), np.random.default_rng(0)
    scene.redress(rng)
    for _ in range(8):
        opened, near, _ = scene.pose(rng)
        assert -0.16 * opened.value == pytest.approx(scene.data.joint("goal_slidey").qpos[0])
        tip, handle, goal = scene.landmarks()
        assert near.value == pytest.approx(closeness(float(np.linalg.norm(tip - handle)), touching=0.035, reach=0.3))
        assert np.isnan(goal).all()


def test_a_landmark_is_seen_where_it_is_projected():
    scene, rng = TableScene(TABLE_TASKS["reach"]), np.random.default_rng(1)
    scene.redress(rng)
    scene.pose(rng)
    marker, camera = scene.model.site("goal"), scene.view(rng, nearness=1.0)
    with Photographer(scene.model, image_size=96, render_size=96) as photographer:
        shown = photographer.picture(scene.data, camera).astype(int)
        marker.rgba[3] = 0.0
        changed = np.abs(photographer.picture(scene.data, camera) - shown).sum(axis=2) > 60
    assert changed.any()  # the goal of this seed is not hidden
    down, right = (each.mean() for each in np.nonzero(changed))
    place = project(scene.landmarks()[2:], camera, fovy=45.0)[0]
    assert (place + 1) * 48 == pytest.approx([right + 0.5, down + 0.5], abs=1.5)


@pytest.mark.parametrize(("value", "level"), [(0.0, "none"), (0.1, None), (0.5, "half"), (0.8, "most"), (1.0, "full")])
def test_a_fraction_has_a_word_unless_it_lies_between_two(value: float, level: str | None):
    assert Fact("open", "drawer", "", value).level == level


def test_a_fact_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"value must be in \[0, 1\], got 1.5 of open drawer"):
        Fact("open", "drawer", "", 1.5)


def test_closeness_falls_linearly_from_touching_to_out_of_reach():
    assert [closeness(d, touching=0.1, reach=0.4) for d in (0.0, 0.1, 0.3, 0.5, 0.9)] == pytest.approx(
        [1, 1, 0.5, 0, 0]
    )


def test_phrases_of_opposite_levels_never_coincide():
    rng = np.random.default_rng(0)
    for kind, noun in (
        ("open", "door"),
        ("pressed", "button"),
        ("near", "button"),
        ("held", "puck"),
        ("lifted", "puck"),
    ):
        fact = Fact(kind, noun, "", 1.0)  # pyright: ignore[reportArgumentType]
        low, high = ({phrase(fact, level, rng) for _ in range(60)} for level in ("none", "full"))
        assert not low & high
        assert len(high) > 3


def test_captions_are_true_of_the_pictures_they_describe_and_false_of_the_opposite_state():
    rng = np.random.default_rng(0)
    facts = [DRAWER, SHUT, BUTTON]
    for _ in range(40):
        captions = write_captions(facts, rng, per_picture=2)
        assert len(set(captions.texts)) == len(captions.texts)
        assert captions.true.any(dim=0).all()
        for text, true in zip(captions.texts, captions.true.T.tolist(), strict=True):
            if "not" not in text and ("open" in text or "touch" in text) and " and " not in text and "," not in text:
                assert true == (["open" in text, "touch" in text, False]), text


def test_quantities_carry_the_state_and_count_an_absent_thing_less():
    quantities = draw_quantities([DRAWER, SHUT, BUTTON], np.random.default_rng(0), number=50)
    place = [
        index
        for index, goal in enumerate(quantities.goal)
        if "open" in goal and "green" not in goal and "red" not in goal
    ]
    assert place
    assert quantities.value[:, place[0]].tolist() == [1.0, 0.0, 0.0]
    assert quantities.weight[:, place[0]].tolist() == pytest.approx([1.0, 1.0, 0.15])


def test_progress_is_zero_at_the_baseline_and_one_at_the_goal():
    text = torch.nn.functional.normalize(torch.randn(2, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    goal, baseline = text[:1], text[1:]
    assert progress_along(goal, goal, baseline).item() == pytest.approx(1.0, abs=1e-6)
    assert progress_along(baseline, goal, baseline).item() == pytest.approx(0.0, abs=1e-6)


def test_the_losses_prefer_the_truth():
    image = torch.eye(3)
    true = torch.eye(3, dtype=torch.bool)
    scale = torch.tensor(10.0)
    assert matching_loss(image, image, true, scale) < matching_loss(image, image.flip(0), true, scale)
    value, weight = torch.tensor([[0.2], [0.8]]), torch.ones(2, 1)
    assert quantity_loss(value, value, weight, scene=2) == 0
    assert quantity_loss(value.flip(0), value, weight, scene=2) > quantity_loss(value + 0.2, value, weight, scene=2) > 0


def test_shards_are_read_back_as_they_were_written(tmp_path: Path):
    groups = groups_from(4, 2)
    assert write_shard(tmp_path / "tabletop-0000", iter(groups)) == 16
    album = Album(tmp_path, shares={"tabletop": 1.0}, shards=range(10))
    images, facts, landmarks = album.draw(np.random.default_rng(0), groups=2, pictures=3)
    assert images.shape == (6, 3, 144, 144)
    assert len(album) == 16
    assert landmarks.isnan().all()
    known = [stated for _, stated, _ in groups]
    assert all(any(each in stated for stated in known) for each in facts)


def test_held_out_shards_are_not_found(tmp_path: Path):
    write_shard(tmp_path / "tabletop-9000", iter(groups_from(4, 1)))
    with pytest.raises(FileNotFoundError, match="no 'tabletop-"):
        Album(tmp_path, shares={"tabletop": 1.0}, shards=range(9000))


def test_the_shipped_files_are_small_and_of_the_documented_architecture():
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) < 20_000_000
    assert json.loads((EMBEDDED / "open_clip_config.json").read_text()) == CONFIG


def test_open_clip_loads_the_shipped_weights_as_we_do():
    declare_torchvision_ops()
    import open_clip

    theirs, _, _ = open_clip.create_model_and_transforms(f"local-dir:{EMBEDDED}")
    ours = read_checkpoint(EMBEDDED)
    tokens = open_clip.get_tokenizer(f"local-dir:{EMBEDDED}")(["the drawer is open"])
    assert torch.equal(tokens, tokenize(["the drawer is open"]))
    with torch.inference_mode():
        expected = theirs.eval().encode_text(tokens, normalize=True)  # pyright: ignore[reportCallIssue]
    torch.testing.assert_close(embed_texts(ours, ["the drawer is open"]), expected, rtol=1e-4, atol=1e-5)


def test_words_that_training_never_saw_add_nothing():
    embedding = read_checkpoint(EMBEDDED).token_embedding.weight
    never, known = tokenize(["zebra", "drawer"])[:, 1]
    assert embedding[never].abs().max() == 0
    assert embedding[known].abs().max() > 0


def test_the_shipped_encoder_tells_open_drawers_from_closed_ones_in_scenes_it_has_not_seen():
    model = read_checkpoint(EMBEDDED)
    goal, baseline = embed_texts(model, ["the drawer is open", "the drawer is closed"])[:, None]
    groups = table_groups(np.random.default_rng(123456789), groups=60, nearness=0.75)
    pictures, values = [], []
    for images, facts, _ in (next(groups) for _ in range(12)):
        pictures += images
        values += [stated[0].value for stated in facts]
    progress = progress_along(
        embed_pictures(model, torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)), goal, baseline
    )[:, 0]
    value = torch.tensor(values)
    opened, closed = progress[value > 0.9], progress[value < 0.1]
    assert (opened[:, None] > closed).float().mean() > 0.85
