"""What every lifecycle node needs: errors that are told, parameters out of a table, futures that can be awaited."""

import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future as Promise
from functools import wraps
from typing import Any, TypeVar

import rclpy
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    NameValidationException,
)
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future

from robo_reward_ros.answer import Status
from robo_reward_ros.health import Verdict
from robo_reward_ros.parameters import Parameter, ParameterTable
from robo_reward_ros.slot_worker import MODEL_FAULTS

Result = TypeVar("Result")
Transition = Callable[[Any, LifecycleState], TransitionCallbackReturn]
STEADY = Clock(clock_type=ClockType.STEADY_TIME)
"""Watchdogs must not sleep while the clock of a simulator stands still."""
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE)
"""The last message is there for those who come later."""


class NodeClocks:
    """The clocks of a node: ROS's own, which follows /clock where use_sim_time is set, and one that nobody adjusts."""

    def __init__(self, node: Node) -> None:
        self._clock = node.get_clock()

    def now_ns(self) -> int:
        """Give the time of the ROS clock [ns]."""
        return self._clock.now().nanoseconds

    def steady(self) -> float:
        """Give the time of the machine's monotonic clock [s]."""
        return time.monotonic()


def newest_only(reliability: str, *, depth: int = 1) -> QoSProfile:
    """Give the profile for pictures: only the newest is of interest, or the newest few."""
    return QoSProfile(
        depth=depth,
        history=HistoryPolicy.KEEP_LAST,
        durability=DurabilityPolicy.VOLATILE,
        reliability=ReliabilityPolicy.RELIABLE if reliability == "reliable" else ReliabilityPolicy.BEST_EFFORT,
    )


def told(transition: Transition) -> Transition:
    """Have a transition fail with a message; rclpy itself swallows errors of transitions without a word."""

    @wraps(transition)
    def wrapped(node: Any, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except (*MODEL_FAULTS, NameValidationException) as error:
            node.get_logger().error(f"{transition.__name__}: {error}")
            return TransitionCallbackReturn.FAILURE

    return wrapped


def survive_wrong_transitions(node: Node) -> None:
    """Have a lifecycle node answer no to a transition that its state does not have; on Jazzy it would end it."""
    for service in node.services:
        if service.srv_type is ChangeState:
            service.callback = _refusing_transitions(node, service.callback)


def _refusing_transitions(node: Node, change: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def wrapped(request: Any, response: Any) -> Any:
        try:
            return change(request, response)
        except RuntimeError as error:  # rcl's
            node.get_logger().error(f"no such transition from here: {error}")
            response.success = False
            return response

    return wrapped


def refusing(service: Callable[[Any, Any], Awaitable[None]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """Have a service answer `success=False` and what was wrong, instead of ending the node with its error."""

    async def wrapped(request: Any, response: Any) -> Any:
        try:
            await service(request, response)
            response.success = True
        except MODEL_FAULTS as error:
            response.success, response.message = False, str(error)
        return response

    return wrapped


def declare(
    node: Node,
    table: ParameterTable,
    *,
    configured: Callable[[], bool],
    changed: Callable[[], None],
    refused: dict[str, str] | None = None,
) -> None:
    """Declare the parameters of a table, let no change pass that the table refuses, and tell of those that did.

    Args:
        node: Whose parameters.
        table: The parameters.
        configured: Whether the node is configured: then only live parameters may change.
        changed: Told of changes that passed.
        refused: Filled with the parameters that were given at the start and cannot be, name to what is wrong with them,
            until they are set right: they have their defaults until then. None = they end the node.
    """

    def checked(changes: list[Any]) -> SetParametersResult:
        problems = table.problems({each.name: each.value for each in changes}, configured=configured())
        return SetParametersResult(successful=not problems, reason="; ".join(problems))

    def passed(changes: list[Any]) -> None:
        for each in changes if refused is not None else ():
            refused.pop(each.name, None)
        changed()

    node.add_on_set_parameters_callback(checked)
    node.add_post_set_parameters_callback(passed)
    for each in table.values():
        default = list(each.default) if isinstance(each.default, tuple) else each.default
        try:
            node.declare_parameter(each.name, default, _descriptor(each))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            if refused is None:
                raise
            node.declare_parameter(each.name, default, _descriptor(each), ignore_override=True)
            refused[each.name] = str(error)


def values(node: Node, table: ParameterTable) -> dict[str, Any]:
    """Give the values of a table's parameters."""
    found = {name: node.get_parameter(name).value for name in table}
    return {name: tuple(value) if isinstance(table[name].default, tuple) else value for name, value in found.items()}


def log_verdict(logger: RcutilsLogger, verdict: Verdict) -> None:
    """Say once what stands against rewards now, or that nothing does any more."""
    status, reason = verdict
    text = f"{status.name}: {reason}" if reason else status.name
    if status in (Status.OK, Status.WARMUP):
        logger.info(text)
    else:
        logger.warning(text)


def awaitable(node: Node, promise: "Promise[Result]", *, group: ReentrantCallbackGroup) -> Future:
    """Give a future of another thread in the form that callbacks of this node can await.

    Args:
        node: Whose callback waits.
        promise: Of the other thread.
        group: Of the callback that waits: of any other kind, it would keep from running what it waits for.
    """
    future = Future(executor=node.executor)

    def finish() -> None:
        node.destroy_guard_condition(guard)
        error = promise.exception()
        if error is None:
            future.set_result(promise.result())
        else:
            future.set_exception(error)

    # finished in the thread of the executor: a future that another thread finishes may miss whom it should wake
    guard = node.create_guard_condition(finish, callback_group=group)
    promise.add_done_callback(lambda done: guard.trigger())
    return future


def spin(node_class: Callable[[], Node]) -> None:
    """Run a node in one single-threaded executor until it is told to stop; Ctrl-C is no error."""
    rclpy.init()
    executor = SingleThreadedExecutor()
    node = node_class()
    executor.add_node(node)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:  # rcl's, of a callback that the signal overtook
        if rclpy.ok():
            raise
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        description=parameter.doc, additional_constraints=", ".join(parameter.choices), dynamic_typing=False
    )
    if parameter.kind == "integer":
        descriptor.integer_range = [IntegerRange(from_value=int(parameter.least), to_value=int(parameter.most), step=1)]
    if parameter.kind == "double" and parameter.most < float("inf"):
        descriptor.floating_point_range = [FloatingPointRange(from_value=parameter.least, to_value=parameter.most)]
    # rclpy takes an empty list for bytes; the table checks the type instead
    descriptor.dynamic_typing = isinstance(parameter.default, tuple)
    return descriptor
