"""What the method section says of search, reruns and verdicts."""

from types import SimpleNamespace

from fallline.report.claims import comparison_said, edges_said, reach_said, reruns_said, search_said
from fallline.report.method import method
from fallline.statistics import verdict


def test_a_full_study_names_its_seeds_and_what_is_reported(studies):
    results = studies.judged
    assert "The search used seeds 0 to 1." in reruns_said(results)
    assert "trained again on seeds 2 to 8" in reruns_said(results)
    assert f"digest {results.specification.search_digest}" in search_said(results)
    assert "among all 3 pairs of a verdict" in comparison_said(results)
    assert "fewer than 7 seeds" in comparison_said(results)
    assert "measured on the same data (300 validation rows of cubic)" in comparison_said(results)
    assert "as tuned here" in reach_said(results)
    told = method(results)
    assert (
        "from 2 seeds to choose, and what was chosen from 7 seeds more, which makes 39 trainings"
        in (told["What was compared"])
    )
    assert "flattered" not in told["Choice of values"]


def test_a_sweep_gives_no_verdict_and_says_why(studies):
    assert reruns_said(studies.digits).startswith("None: this is a sweep.")
    assert comparison_said(studies.digits) == ""
    assert "The verdict's test" not in method(studies.digits)
    assert "flattered" in method(studies.digits)["Choice of values"]


def test_at_the_values_given_nothing_was_searched(studies):
    results = studies.conditions_judged
    assert search_said(results) == ""
    assert "nothing was searched" in reruns_said(results)
    assert reach_said(results) == "All statements hold for the values given and trainings of this length."
    assert "among all" not in comparison_said(results)
    assert method(results)["Choice of values"].startswith("Optimizers are ordered by")


def test_verdicts_of_unequal_sizes_are_told_as_such():
    def judged(problem, *names):
        return SimpleNamespace(
            problem=problem, metric="test_loss", verdict=verdict({name: [1.0, 2.0, 3.0] for name in names})
        )

    several = judged("line", "a", "b", "c"), judged("cubic", "a", "b")
    told = comparison_said(SimpleNamespace(verdicts=several, searched=(), environment={}))
    assert "among all pairs of a verdict" in told
    assert "fewer than 6 to 7 seeds, the more the pairs." in told
    assert "same data" not in told


def test_best_values_at_an_edge_are_named(studies):
    edged = [row for row in studies.digits.ranking if row.edges]
    assert edged
    for row in edged:
        assert f"{row.optimizer} ({row.edges[0]})" in edges_said(studies.digits)
    assert edges_said(studies.conditions_judged) == ""
