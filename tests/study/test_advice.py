"""The command that a study suggests next."""

import fallline as fl
from fallline.study import advice
from tests.study.studies import compare


def test_the_next_command_can_be_parsed_and_looks_closer(tmp_path):
    results = fl.compare(
        "cubic", ["sgd", "adam"], protocol="sweep", epochs=1, seeds=1, threads=1, progress=False, store=tmp_path / "c"
    )
    command = advice.next_command(results)
    assert command.startswith("fallline compare cubic -o ")
    assert "--seeds" not in command, "a sweep's seeds are repeats, the command's would be those of its search"
    given = {"epochs": 1, "seeds": 1, "final_seeds": 2, "trials": 2, "threads": 1, "progress": False}
    full = fl.compare("cubic", ["sgd", "adam"], **given, store=tmp_path / "full")
    assert "--final-seeds 4 --trials 2 --seeds 1 --seed 1" in advice.next_command(full)
    assert advice.next_command(compare(tmp_path)) is None


def test_the_next_command_keeps_what_it_compares(tmp_path):
    given = {"epochs": 1, "seeds": 1, "final_seeds": 2, "lrs": [0.01, 0.1], "threads": 1, "progress": False}
    full = fl.compare("cubic", ["sgd", "adam"], target="train_loss<=sgd", **given, store=tmp_path / "baseline")
    assert ("--target 'train_loss<=sgd'" in advice.next_command(full)) == all(
        row.steps_to_target is not None for row in full.ranking
    )
    conditions = {"vary": {"l2": [0, 0.1]}, "schedules": ["constant", "cosine"]}
    one = fl.compare("cubic", ["sgd"], **conditions, **given, store=tmp_path / "conditions")
    assert "--vary l2=0,0.1 --schedule constant --schedule cosine" in advice.next_command(one)
