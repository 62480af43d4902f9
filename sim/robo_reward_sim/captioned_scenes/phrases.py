"""Facts in words: captions, and the goal and baseline prompts that a quantity lies between."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from robo_reward_sim.captioned_scenes.facts import Fact

# {n} the thing, {an} with its indefinite article, {g} the gripper, {o} the other thing, {c} the goal
_PHRASES: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("open", "none"): (
            "the {n} is closed", "{a} closed {n}", "the {n} is shut", "the {n} is fully closed", "the {n} is not open",
            "the closed {n}", "the {n} has been closed",
        ),
        ("open", "slight"): (
            "the {n} is slightly open", "{a} slightly open {n}", "the {n} is ajar", "the {n} is open a little",
            "the {n} is a bit open",
        ),
        ("open", "half"): (
            "the {n} is half open", "{a} half open {n}", "the {n} is partly open", "the {n} is half way open",
        ),
        ("open", "most"): ("the {n} is mostly open", "the {n} is almost open", "{a} mostly open {n}"),
        ("open", "full"): (
            "the {n} is open", "{a} open {n}", "the {n} is fully open", "the {n} is wide open", "the open {n}",
            "the {n} has been opened", "the {n} is opened", "the {g} opened the {n}",
        ),
        ("pressed", "none"): (
            "the {n} is not pressed", "{a} released {n}", "the {n} is released", "the {n} is up",
            "{a} {n} that is not pressed", "the {n} sticks out", "nobody presses the {n}",
        ),
        ("pressed", "slight"): ("the {n} is slightly pressed", "the {n} is pressed a little"),
        ("pressed", "half"): ("the {n} is half pressed", "the {n} is pressed half way"),
        ("pressed", "most"): ("the {n} is mostly pressed", "the {n} is almost pressed"),
        ("pressed", "full"): (
            "the {n} is pressed", "the {n} is pressed down", "{a} pressed {n}", "the {n} is pushed in",
            "the {n} has been pressed", "the {n} is down", "the {n} is fully pressed", "the {g} pressed the {n}",
        ),
        ("near", "none"): (
            "the {g} is far from the {n}", "the {g} is away from the {n}", "the {g} is far away from the {n}",
            "the {g} does not touch the {n}", "the {g} far from the {n}",
        ),
        ("near", "half"): ("the {g} is half way to the {n}", "the {g} approaches the {n}"),
        ("near", "most"): ("the {g} is near the {n}", "the {g} is close to the {n}", "the {g} is next to the {n}"),
        ("near", "full"): (
            "the {g} touches the {n}", "the {g} is at the {n}", "the {g} is touching the {n}",
            "the {g} reached the {n}", "the {g} has reached the {n}", "the {g} at the {n}",
        ),
        ("held", "none"): (
            "the {g} does not hold the {n}", "the {g} is empty", "the {n} is not in the {g}", "an empty {g}",
        ),
        ("held", "full"): (
            "the {g} holds the {n}", "the {g} grasps the {n}", "the {n} is in the {g}", "the {g} is holding the {n}",
            "the {g} has grasped the {n}", "{a} {n} in the {g}",
        ),
        ("lifted", "none"): (
            "the {n} is on the table", "the {n} lies on the table", "the {n} is not lifted",
            "{a} {n} lying on the table",
        ),
        ("lifted", "half"): ("the {n} is half lifted", "the {n} is a little above the table"),
        ("lifted", "full"): (
            "the {n} is lifted", "the {n} is in the air", "the {n} is above the table", "{a} lifted {n}",
            "the {n} has been lifted", "the {n} is raised",
        ),
        ("at_goal", "none"): (
            "the {n} is far from the {c}", "the {n} is away from the {c}", "the {n} is not at the {c}",
            "the {n} is far away from the {c}",
        ),
        ("at_goal", "half"): ("the {n} is half way to the {c}", "the {n} approaches the {c}"),
        ("at_goal", "most"): ("the {n} is near the {c}", "the {n} is close to the {c}", "the {n} is next to the {c}"),
        ("at_goal", "full"): (
            "the {n} is at the {c}", "the {n} has reached the {c}", "the {n} reached the {c}", "the {n} at the {c}",
            "the {n} touches the {c}",
        ),
        ("present", "full"): (
            "{a} {n}", "there is {a} {n}", "a photo of {a} {n}", "a picture of {a} {n}", "the {n}",
            "{a} {n} in the scene",
        ),
        ("left_of", "full"): (
            "the {n} is left of the {o}", "the {n} is to the left of the {o}", "{a} {n} left of the {o}",
        ),
        ("right_of", "full"): (
            "the {n} is right of the {o}", "the {n} is to the right of the {o}", "{a} {n} right of the {o}",
        ),
    }
)  # fmt: skip

_SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gripper": ("gripper", "robot gripper", "robot hand", "hand", "robot"),
        "drawer handle": ("drawer handle", "handle of the drawer"),
        "door handle": ("door handle", "handle of the door"),
        "box": ("box", "lid", "lid of the box"),
        "ball": ("ball", "sphere"),
        "cube": ("cube", "block"),
    }
)
_GOALS = ("goal", "target", "goal marker", "goal position")


def _name(noun: str, colour: str, rng: np.random.Generator) -> str:
    name = str(rng.choice(_SYNONYMS.get(noun, (noun,))))
    return f"{colour} {name}" if colour else name


def _fill(template: str, noun: str, other: str, goal: str, rng: np.random.Generator) -> str:
    first = template.replace("{a} ", "").replace("{n}", noun)
    article = "a"
    if "{a} " in template:
        after = template[template.index("{a} ") + 4 :].replace("{n}", noun)
        article = "an" if after[0] in "aeiou" else "a"
        first = template.replace("{a}", article).replace("{n}", noun)
    return first.replace("{g}", _name("gripper", "", rng)).replace("{o}", other).replace("{c}", goal)


def phrase(fact: Fact, level: str, rng: np.random.Generator) -> str | None:
    """Put a fact at one level into words, or return None where there are none for it.

    Args:
        fact: The fact; the colour is named if the fact has one, so take it out to leave it out.
        level: none, slight, half, most or full; not necessarily the fact's own.
        rng: Draws one of the paraphrases and synonyms.
    """
    templates = _PHRASES.get((fact.kind, level))
    if templates is None:
        return None
    goal = str(rng.choice(_GOALS))
    if fact.kind == "at_goal" and fact.other:
        goal = f"{fact.other} {goal}"
    return _fill(str(rng.choice(templates)), _name(fact.noun, fact.colour, rng), fact.other, goal, rng)
