from dataclasses import replace

from fallline.report.time_notes import time_notes
from fallline.study.reached import reached
from fallline.study.speed import Speed
from fallline.study.target import Target, resolved
from tests.study.by_hand import row
from tests.study.test_reached import run

TARGET = Target.parse("test_loss<=0.5")


def timed(name, losses, a_step=1, seconds=None, target=TARGET):
    speed = None if seconds is None else Speed({}, (seconds,), 1.0, 1, 2, "a machine")
    runs = [run(losses, a_step=a_step)]
    own = row("p", name, 0.5)
    if target is None:
        return name, replace(own, speed=speed)
    found = reached(runs, target, 30, seconds)
    return name, replace(own, winners=tuple(runs), target=resolved(target, []), reached=found, speed=speed)


def test_seconds_are_told_as_from_speed_runs_of_those_that_met_the_target():
    notes = list(time_notes([timed("sgd", [1, 0.4, 0.4, 0.4], seconds=0.01), timed("adam", [1] * 4, seconds=0.01)]))
    assert notes == ["Seconds to target, from speed runs of each alone (2 threads; a machine): sgd 0.100."]


def test_evaluations_are_told_where_a_step_takes_several():
    assert list(time_notes([timed("sgd", [1, 0.4]), timed("sam", [1, 0.4], a_step=2)])) == [
        "Gradient evaluations to target, where a step takes several: sam 20.0."
    ]
    assert list(time_notes([timed("sgd", [1, 0.4])])) == []


def test_without_a_target_the_time_of_a_step_is_told():
    notes = list(time_notes([timed(str(i), [1, 0.4], seconds=0.002, target=None) for i in range(10)]))
    assert len(notes) == 1
    assert notes[0].startswith("A step, from speed runs of each alone (2 threads; a machine): 0 2.00 ms, 1 2.00 ms")
    assert notes[0].endswith("and 2 more in the report.")
