r"""Learn a table-top task in many worlds on one device: pictures, rewards and learner stay on it.

Takes the words of `robo-reward train` for what both have: task=table_top/reach (push, pick, open) and its keys under
`task.`, learner.num_envs (worlds) and the other keys of learner=ppo, reward=shaped or sparse, success_reward,
total_steps, every, seed, output; encoder, reward_model, shaping, prompts, fit and watch_cameras as there.

    python -m robo_reward_sim.warp_table_top.train --device cuda task=table_top/reach learner.num_envs=1024 \
        output=outputs/warp_reach total_steps=3000000 every=300000
"""

import argparse
import logging
from collections.abc import Sequence

_WITHOUT_MEANING = (
    "evaluation_episodes",
    "stop_success_rate",
    "stop_evaluations",
    "videos",
    "deferred",
    "threads",
    "monitor",
    "discount_schedule",
    "experiment",
)
"""Words of `robo-reward train` that nothing here would heed."""


def main(words: Sequence[str] | None = None) -> None:
    """Train as the words say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="of simulator, encoder and learner: cuda, cuda:1 … or cpu")
    parser.add_argument("overrides", nargs="*", help="KEY=VALUE, as for robo-reward train")
    given = parser.parse_args(words)
    ignored = [each for each in given.overrides if each.lstrip("+~").startswith(_WITHOUT_MEANING)]
    if ignored:
        parser.error(f"{ignored[0]} has no meaning here; without meaning are {', '.join(_WITHOUT_MEANING)}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    # not above: --help is for those, too, who have not installed the simulator
    from robo_reward_sim.warp_table_top.training import train  # noqa: PLC0415

    train(given.overrides, device=given.device)


if __name__ == "__main__":
    main()
