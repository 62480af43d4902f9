from collections import Counter

import pytest

from robo_reward.cli.build import plain
from robo_reward.cli.configuration import compose_verb
from robo_reward.cli.study_plan import plan_study

PLAN = {
    "settings": ["every=20"],
    "tasks": {
        "reach": {"settings": ["task=table_top/reach"]},
        "push": {"settings": ["task=table_top/push"], "models": {"seen": {"fit": ["more"], "settings": ["its own"]}}},
    },
    "models": {"truth": {"settings": ["reward_model=ground_truth"]}, "seen": {"fit": ["reward_model=process"]}},
    "rewards": {"sparse": ["reward=sparse"], "shaped": ["reward=shaped"]},
}
COMPARED = [
    {"tasks": ["reach", "push"], "rewards": ["sparse"], "seeds": 2},
    {"tasks": ["reach", "push"], "rewards": ["shaped"], "models": ["truth", "seen"], "seeds": 1},
]


def planned(**parts):
    return plan_study(**PLAN, parts=parts)


def test_rows_are_crossed_and_seeds_come_in_their_order():
    assert [run.name for run in planned(compared=COMPARED).runs()] == [
        "reach.sparse.0",
        "push.sparse.0",
        "reach.shaped.truth.0",
        "reach.shaped.seen.0",
        "push.shaped.truth.0",
        "push.shaped.seen.0",
        "reach.sparse.1",
        "push.sparse.1",
    ]


def test_no_run_is_made_twice_though_two_parts_have_it():
    plan = planned(compared=COMPARED, again=COMPARED)
    assert max(Counter(run.name for run in plan.runs()).values()) == 1
    assert [len(part.runs) for part in plan.parts] == [8, 8]


def test_settings_go_from_the_general_to_the_particular():
    runs = {run.name: run for run in planned(compared=COMPARED).runs()}
    assert runs["push.shaped.seen.0"].settings == (
        "every=20", "task=table_top/push", "its own", "reward=shaped", "seed=0",
    )  # fmt: skip
    assert runs["push.shaped.seen.0"].fit == ("reward_model=process", "more")
    assert runs["push.shaped.truth.0"].fit == ()


def test_settings_that_tasks_share_name_each_of_them():
    shared = {"settings": ["task=metaworld", "task.name={task}"]}
    tasks = {"tasks": {"fold": shared, "pour": shared}}
    row = {"tasks": ["fold", "pour"], "rewards": ["sparse"], "seeds": 1}
    runs = plan_study(**PLAN | tasks, parts={"one": [row]}).runs()
    assert [run.settings[2] for run in runs] == ["task.name=fold", "task.name=pour"]


def test_one_run_with_two_settings_is_refused():
    row = {"tasks": ["reach"], "rewards": ["sparse"], "seeds": 1}
    with pytest.raises(
        ValueError, match=r"run reach.sparse.0 is planned with two settings: give one of them a variant"
    ):
        planned(one=[row], other=[row | {"settings": ["learner.tau=1"]}])
    assert planned(one=[row], other=[row | {"settings": ["learner.tau=1"], "variant": "τ = 1"}]).runs()[1].name == (
        "reach.sparse.τ-1.0"
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tasks": ["fold"], "rewards": ["sparse"]}, "unknown task 'fold'; there are reach, push"),
        ({"tasks": ["reach"], "rewards": ["dense"]}, "unknown reward 'dense'; there are sparse, shaped"),
        ({"tasks": ["reach"], "rewards": ["shaped"], "models": ["x"]}, "unknown model 'x'; there are truth, seen"),
    ],
)
def test_a_name_that_is_not_there_is_refused(row, message):
    with pytest.raises(ValueError, match=message):
        planned(one=[row | {"seeds": 1}])


def shaping_plan():
    config = plain(compose_verb("study", ["shaping", "output=x"]))
    return plan_study(**{name: config[name] for name in ("settings", "tasks", "models", "rewards", "parts")})


def test_every_run_of_the_study_of_shaping_is_a_training_that_composes():
    runs = [run for run in shaping_plan().runs() if run.seed == 0]
    for run in runs:
        config = compose_verb("train", [*run.settings, *run.fit, "output=x"])
        assert config.stop_success_rate is None  # a curve that stops when it is high would be cut where it may fall
        assert config.total_steps % config.every == 0
        assert config.seed == run.seed
        assert (config.reward == "sparse") == (run.model is None and run.reward == "sparse")


def test_the_study_of_shaping_compares_at_least_six_tasks_two_of_them_meta_worlds_with_three_seeds():
    parts = {part.name: part.runs for part in shaping_plan().parts}
    counts = Counter((run.task, run.reward, run.model) for run in parts["comparison"])
    tasks = {task for task, _, _ in counts}
    assert len(tasks) >= 6
    assert {"drawer-close", "window-close"} <= tasks
    assert min(counts.values()) >= 3
    assert all(
        {("sparse", None), ("shaped", "ground-truth")} < {key[1:] for key in counts if key[0] == task} for task in tasks
    )
