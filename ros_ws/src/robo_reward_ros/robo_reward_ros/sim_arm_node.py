"""The node `sim_arm_node`: a MuJoCo arm behind the topics of a real one."""

from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from robo_reward_ros.ros_lifecycle import LATCHED, STEADY, declare, spin, values
from robo_reward_ros.sim_arm_core import SimulatedArm
from robo_reward_ros.sim_arm_parameters import SIM_ARM_PARAMETERS
from robo_reward_ros.sim_arm_publishers import ArmPublishers
from robo_reward_ros.sim_arm_settings import simulated_arm

ROBOT_OK_PERIOD = 0.5  # [s]


class SimArmNode(Node):
    """Publishes what a simulated arm sees and feels; its parameters are `SIM_ARM_PARAMETERS`, fixed at the start."""

    def __init__(self, **options: Any) -> None:
        super().__init__("sim_arm_node", **options)
        self._running, self._last_stamp = False, 0
        self._simulated: SimulatedArm | None = None  # also of a node that did not come to be
        declare(self, SIM_ARM_PARAMETERS, configured=lambda: self._running, changed=lambda: None)
        given = values(self, SIM_ARM_PARAMETERS)
        self._simulated = self._arm = simulated_arm(given)
        self._new_seed: int | None = None
        self._simulated_stamps = given["publish_clock"]
        self.add_post_set_parameters_callback(self._on_parameters)
        self._topics = ArmPublishers(
            self,
            cameras=given["cameras"],
            compressed=given["compressed"],
            clock=given["publish_clock"],
            names=self._arm.scene.observation_names,
        )
        self._robot_ok = self.create_publisher(Bool, "robot_ok", LATCHED)
        self.create_subscription(JointTrajectory, "joint_trajectory", self._on_trajectory, 10)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(SetBool, "~/protective_stop", self._on_stop)
        self.create_timer(ROBOT_OK_PERIOD, self._tell_ok, clock=STEADY)
        if not given["lockstep"]:
            wall_period = self._arm.settings.period / given["real_time_factor"]
            self.create_timer(wall_period, self._on_period, clock=STEADY)
        self._running = True
        self._tell_ok()

    @property
    def arm(self) -> SimulatedArm:
        """What is simulated."""
        return self._arm

    def _on_period(self) -> None:
        self._arm.advance(self._arm.settings.period)
        self._publish()

    def _on_trajectory(self, message: JointTrajectory) -> None:
        points = [
            (list(point.positions), point.time_from_start.sec + 1e-9 * point.time_from_start.nanosec)
            for point in message.points
        ]
        try:
            self._arm.command(message.joint_names, points)
        except ValueError as error:
            self.get_logger().error(f"a trajectory is refused: {error}")
            return
        if self._arm.settings.lockstep:
            self._arm.finish()
            self._publish()

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._arm.reset(seed=self._new_seed)
        self._new_seed = None
        self._publish()
        response.success, response.message = True, f"start {self._arm.seed}: {self._arm.scene.task.instruction}"
        return response

    def _on_stop(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._arm.stop(stopped=request.data)
        self._tell_ok()
        response.success = True
        return response

    def _on_parameters(self, changes: list[Parameter]) -> None:
        for each in changes:
            if each.name == "seed":
                self._new_seed = each.value  # the same value, too: who sets it begins to count from there again

    def _tell_ok(self) -> None:
        self._robot_ok.publish(Bool(data=not self._arm.stopped))
        if self._last_stamp:
            self._topics.publish_clock(self._last_stamp)  # for those who came later

    def _publish(self) -> None:
        snapshot = self._arm.snapshot()
        now = round(snapshot.time * 1e9) if self._simulated_stamps else self.get_clock().now().nanoseconds
        self._last_stamp = max(now, self._last_stamp + 1)
        self._topics.publish(snapshot, stamp_ns=self._last_stamp)

    def destroy_node(self) -> None:
        """Free the simulator's OpenGL context, too."""
        if self._simulated is not None:
            self._simulated.close()
        super().destroy_node()


def main() -> None:
    """Run the node."""
    try:
        spin(SimArmNode)
    except ValueError as error:  # wrong parameters
        raise SystemExit(f"sim_arm_node: {error}") from error


if __name__ == "__main__":
    main()
