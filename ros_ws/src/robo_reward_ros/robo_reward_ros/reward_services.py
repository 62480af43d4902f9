"""The services of the reward node: a person or a program ends episodes, changes the task, switches rewards off."""

from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from robo_reward_msgs.srv import MarkOutcome, SetTask
from std_srvs.srv import SetBool, Trigger

from robo_reward_ros.ros_lifecycle import awaitable, refusing
from robo_reward_ros.set_task_request import task_of_request


def offer_services(node: Any) -> None:
    """Offer the services of a reward node; a request that cannot be met is answered with the reason.

    None of them waits in the node's thread: pictures and the watchdog go on while a model is being bound.

    Args:
        node: A `RewardNode`.
    """
    group = ReentrantCallbackGroup()

    async def reset(request: Trigger.Request, response: Trigger.Response) -> None:
        response.message = await awaitable(node, node.core.reset_episode(), group=group)

    async def set_task(request: SetTask.Request, response: SetTask.Response) -> None:
        session = node.session
        wanted = task_of_request(request, node.prepared.task)
        bound = await awaitable(node, session.set_task(wanted), group=group)
        node.note_bound(session)
        fitted = f", fitted to {wanted.demonstrations}" if wanted.demonstrations else ""
        response.model_id, response.message = bound.model.version, f"bound to '{bound.goal_id}'{fitted}"

    async def mark_outcome(request: MarkOutcome.Request, response: MarkOutcome.Response) -> None:
        response.episode = await awaitable(node, node.core.mark(request.outcome, who=request.who), group=group)
        response.message = f"episode {response.episode} ended"

    async def enable(request: SetBool.Request, response: SetBool.Response) -> None:
        node.core.enable(enabled=request.data)
        response.message = "enabled" if request.data else "disabled"

    node.create_service(Trigger, "~/reset_episode", refusing(reset), callback_group=group)
    node.create_service(SetTask, "~/set_task", refusing(set_task), callback_group=group)
    node.create_service(MarkOutcome, "~/mark_outcome", refusing(mark_outcome), callback_group=group)
    node.create_service(SetBool, "~/enable", refusing(enable), callback_group=group)
