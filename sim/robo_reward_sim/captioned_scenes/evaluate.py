"""How well an encoder knows held-out scenes: retrieval, and zero-shot accuracy by concept.

python -m robo_reward_sim.captioned_scenes.evaluate --encoder DIR --data DIR --output FILE.json
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from robo_reward_sim.captioned_scenes.augmentation import shrink
from robo_reward_sim.captioned_scenes.checkpoint import encode_image, encode_text, read_checkpoint, tokenize
from robo_reward_sim.captioned_scenes.collection import render_shard
from robo_reward_sim.captioned_scenes.colours import COLOURS
from robo_reward_sim.captioned_scenes.facts import Fact
from robo_reward_sim.captioned_scenes.pictures import read_shard
from robo_reward_sim.captioned_scenes.targets import write_captions

HELD_OUT_SHARD = 9100
"""Number of the shards that are asked about; training uses those below 9000."""

_POOL = 64

_NOUNS = ("cube", "ball", "cylinder", "mug", "puck", "bottle", "drawer", "door", "box", "button")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A fraction of questions answered rightly.

    Raises:
        ValueError: No question at all.
    """

    right: float
    """Fraction in [0, 1]."""
    chance: float
    """What guessing gives."""
    number: int
    """How many questions."""

    def __post_init__(self) -> None:
        if self.number <= 0:
            raise ValueError("a score needs at least one question")


def embed_pictures(model: Any, pictures: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch dim"]:
    """Embed pictures of any size, as inference does; unit norm."""
    with torch.inference_mode():
        return torch.cat([encode_image(model, shrink(chunk)) for chunk in pictures.split(64)])


def embed_texts(model: Any, texts: Sequence[str]) -> Float[Tensor, "text dim"]:
    """Embed texts; unit norm."""
    with torch.inference_mode():
        return encode_text(model, tokenize(list(texts)))


def retrieval(
    model: Any,
    image: Float[Tensor, "batch dim"],
    facts: list[list[Fact]],
    *,
    pool: int,
    top: int,
    rng: np.random.Generator,
    pools: int = 20,
) -> Score:
    """Ask for the one picture of a pool that a caption is true of.

    Args:
        model: The encoder.
        image: Embeddings of the pictures, one of each scene.
        facts: What is true in each.
        pool: Pictures in a pool.
        top: The right picture must be among so many best ones.
        rng: Draws pools and captions.
        pools: How many pools.
    """
    hits: list[bool] = []
    for _ in range(pools):
        members = rng.permutation(len(facts))[:pool]
        captions = write_captions([facts[index] for index in members], rng, per_picture=2)
        unique = (captions.true.sum(dim=0) == 1).nonzero()[:, 0]
        text = embed_texts(model, [captions.texts[index] for index in unique])
        best = (text @ image[members].T).topk(top, dim=1).indices
        answer = captions.true[:, unique].float().argmax(dim=0)
        hits += (best == answer[:, None]).any(dim=1).tolist()
    return Score(right=float(np.mean(hits)), chance=top / pool, number=len(hits))


def zero_shot(model: Any, image: Float[Tensor, "batch dim"], facts: list[list[Fact]]) -> dict[str, Score]:
    """Let the encoder choose between sentences of which one is true.

    Returns:
        Scores by concept: the colour of a thing, which thing it is, and a choice of two for each kind of state
        (from one end or the other of its range) and for left or right.
    """
    asked: dict[str, list[tuple[int, list[str]]]] = {}
    for index, stated in enumerate(facts):
        for fact in stated:
            for concept, sentences in _questions(fact, stated):
                asked.setdefault(concept, []).append((index, sentences))
    return {concept: _ask(model, image, questions) for concept, questions in sorted(asked.items())}


def _questions(fact: Fact, stated: list[Fact]) -> list[tuple[str, list[str]]]:
    """Return choices with the true sentence first."""
    name = f"{fact.colour} {fact.noun}".strip()
    goal = f"{fact.other} goal"
    pairs: dict[str, Callable[[], list[str]]] = {
        "open": lambda: [f"the {name} is open", f"the {name} is closed"],
        "pressed": lambda: [f"the {name} is pressed", f"the {name} is not pressed"],
        "near": lambda: [f"the gripper touches the {name}", f"the gripper is far from the {name}"],
        "held": lambda: [f"the gripper holds the {name}", f"the gripper does not hold the {name}"],
        "lifted": lambda: [f"the {name} is lifted", f"the {name} is on the table"],
        "at_goal": lambda: [f"the {name} is at the {goal}", f"the {name} is far from the {goal}"],
    }
    if fact.kind in pairs and fact.level in ("none", "full"):
        sentences = pairs[fact.kind]()
        return [(fact.kind, sentences if fact.level == "full" else sentences[::-1])]
    if fact.kind in ("left_of", "right_of"):
        sides = [f"the {name} is left of the {fact.other}", f"the {name} is right of the {fact.other}"]
        return [("left or right", sides if fact.kind == "left_of" else sides[::-1])]
    if fact.kind != "present" or fact.noun not in _NOUNS:
        return []
    shown = {each.noun.split()[-1] for each in stated if each.kind == "present"}
    painted = {each.colour for each in stated if each.kind == "present" and each.noun == fact.noun}
    colours = [each for each in COLOURS if each not in painted]
    return [
        ("object", [f"a {fact.noun}", *(f"a {each}" for each in _NOUNS if each not in shown)]),
        ("colour", [f"a {name}", *(f"a {each} {fact.noun}" for each in colours)]),
    ]


def _ask(model: Any, image: Float[Tensor, "batch dim"], questions: list[tuple[int, list[str]]]) -> Score:
    texts = sorted({text for _, sentences in questions for text in sentences})
    place = {text: index for index, text in enumerate(texts)}
    text = torch.cat([embed_texts(model, texts[start : start + 256]) for start in range(0, len(texts), 256)])
    right = [
        int((text[[place[each] for each in sentences]] @ image[index]).argmax()) == 0 for index, sentences in questions
    ]
    chance = float(np.mean([1 / len(sentences) for _, sentences in questions]))
    return Score(right=float(np.mean(right)), chance=chance, number=len(right))


def evaluate(encoder: Path, data: Path, source: str) -> dict[str, dict[str, float]]:
    """Ask an encoder about a held-out shard, which is rendered if it is not there.

    Args:
        encoder: Folder that open_clip would load.
        data: Folder of the shards.
        source: `table`, `wide` or `tabletop`.

    Returns:
        Scores by question. Retrieval takes one picture of each scene, in pools of 64.
    """
    model = read_checkpoint(encoder)
    shard = read_shard(render_shard(source, HELD_OUT_SHARD, data))
    image = embed_pictures(model, torch.from_numpy(np.array(shard.pictures)).permute(0, 3, 1, 2))
    rng = np.random.default_rng(0)
    chosen = [int(rng.choice(group)) for group in shard.groups]
    of_chosen = [shard.facts[index] for index in chosen]
    scores = {
        f"retrieval of one of {_POOL}, among the best {top}": retrieval(
            model, image[chosen], of_chosen, pool=_POOL, top=top, rng=rng
        )
        for top in (1, 5)
    } | zero_shot(model, image, shard.facts)
    return {name: asdict(score) for name, score in scores.items()}


def main() -> None:
    """Write the scores of an encoder as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--data", type=Path, required=True, help="folder of the rendered pictures")
    parser.add_argument("--output", type=Path, required=True, help="file to write")
    arguments = parser.parse_args()
    scores = {source: evaluate(arguments.encoder, arguments.data, source) for source in ("tabletop", "table")}
    arguments.output.write_text(json.dumps(scores, indent=2) + "\n")


if __name__ == "__main__":
    main()
