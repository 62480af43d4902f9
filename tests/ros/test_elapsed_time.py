from dataclasses import dataclass

from robo_reward_ros.elapsed_time import ElapsedTime


@dataclass
class Told:
    now: float = 0.0

    def now_ns(self) -> int:
        return round(self.now * 1e9)


def passed(*times: float) -> list[float]:
    clock = Told(times[0])
    elapsed, found = ElapsedTime(clock), []
    for clock.now in times[1:]:
        found.append(elapsed.seconds())
    return found


def test_it_is_the_time_of_the_clock_and_not_of_who_looks():
    assert passed(5.0, 5.0, 5.5, 5.5, 7.0) == [0.0, 0.5, 0.5, 2.0]


def test_a_clock_that_was_not_heard_yet_has_not_begun():
    assert passed(0.0, 0.0, 1000.0, 1001.5) == [0.0, 0.0, 1.5]


def test_a_step_back_does_not_count_and_time_goes_on_from_there():
    assert passed(10.0, 12.0, 3.0, 4.0) == [2.0, 2.0, 3.0]
