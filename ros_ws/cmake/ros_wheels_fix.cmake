# Only for ROS from PyPI wheels (see ros_ws/build.sh): their exported *__rosidl_generator_py targets name an include
# folder of the machine that built them, and CMake refuses folders that are not there. Nothing is lost: the headers of
# Python are found by CMake itself. A package's own CMakeLists.txt stays as on an ordinary ROS installation.
function(_robo_reward_drop_absent_python_includes)
  get_property(_targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(_target IN LISTS _targets)
    if(_target MATCHES "__rosidl_generator_py$")
      set_property(TARGET ${_target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES "")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL _robo_reward_drop_absent_python_includes)
