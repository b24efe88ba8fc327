import json
import statistics
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from fallline.report import page
from tests.report.conftest import HOSTILE


class Parsed(HTMLParser):
    """Elements with their attributes, what is loaded, and the texts outside and inside of scripts."""

    def __init__(self, html):
        super().__init__()
        self.open, self.loads, self.text, self.scripts, self.ids = [], [], "", [], set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((found, ""))
        self.ids.add(found.get("id"))
        self.loads += [v for k, v in attributes if k in ("src", "srcset", "data", "poster")]
        self.loads += [found["href"]] if tag == "link" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            attributes, before = self.scripts[-1]
            self.scripts[-1] = (attributes, before + data)
        elif self.open and self.open[-1] == "style":
            assert "url(" not in data
            assert "@import" not in data
        else:
            self.text += data


@pytest.fixture(scope="module")
def html(studies):
    return page.page_text(studies.digits)


def data_of(html):
    return next(json.loads(text) for attributes, text in Parsed(html).scripts if attributes.get("id") == "data")


@pytest.mark.parametrize("name", ["digits", "cubic", "two_problems", "all_diverged"])
def test_the_page_is_well_formed_and_loads_nothing(studies, name):
    parsed = Parsed(page.page_text(getattr(studies, name)))
    assert parsed.open == []
    assert parsed.loads == ["data:,"]
    assert len(parsed.scripts) == 3
    assert {"ranking", "curves", "sensitivity", "outcomes", "method", "environment"} <= parsed.ids


def test_hostile_names_are_text(studies, html):
    parsed = Parsed(html)
    assert HOSTILE in parsed.text
    assert html.count("<b>") == Parsed(html).scripts[1][1].count("<b>")
    assert HOSTILE in data_of(html)["looks"]
    raw = html[html.index('id="data">') : html.index("</script>", html.index('id="data">'))]
    assert not set("<&\u2028") & set(raw.removeprefix('id="data">'))


def test_every_point_of_every_seed_is_there(studies, html):
    panel = data_of(html)["panels"][0]
    assert [row["optimizer"] for row in panel["rows"]] == [row.optimizer for row in studies.digits.ranking]
    for shown, row in zip(panel["rows"], studies.digits.ranking, strict=True):
        for run, record in zip(shown["runs"], row.winners, strict=True):
            assert run["step"] == record.curve["step"]
            assert run["columns"]["test_accuracy"] == record.curve["test_accuracy"]
        last = [record.curve["validation_loss"][-1] for record in row.winners]
        assert shown["medians"]["validation_loss"]["median"][-1] == statistics.median(last)


def test_final_losses_and_divergences_are_there_for_each_value_tried(studies, html):
    tried = {row["optimizer"]: row["points"] for row in data_of(html)["panels"][0]["tried"]["lr"]}
    assert [point["value"] for point in tried["sgd"]] == [0.01, 0.5, 1000.0]
    assert [point["diverged"] for point in tried["sgd"]] == [0, 0, 3]
    assert [point["chosen"] for point in tried["sgd"]] == [False, True, False]
    assert tried["sgd"][2]["median"] is None
    best = next(row for row in studies.digits.ranking if row.optimizer == "sgd")
    assert tried["sgd"][1]["median"] == best.score


def test_of_two_tuned_hyperparameters_each_is_shown_at_the_best_of_the_other(studies):
    for panel in data_of(page.page_text(studies.cubic))["panels"]:
        assert list(panel["tried"]) == ["lr", "momentum"]
        momentum = next(row for row in panel["tried"]["lr"] if row["optimizer"] == "momentum")
        best = next(row for row in panel["rows"] if row["optimizer"] == "momentum")
        chosen = next(point for point in momentum["points"] if point["chosen"])
        assert chosen["median"] == best["medians"]["validation_loss"]["median"][-1]


def test_the_words_say_what_was_done(studies, html):
    results = studies.digits
    text = " ".join(Parsed(html).text.split())
    best = results.ranking[0]
    assert f"has the least validation loss: {best.score:.3g}" in text
    assert "fallline compare digits --seeds 3 <&>" in text
    assert results.paste_line(best).split(",")[-1] in text
    assert "24 members have ended: 21 finished, 3 diverged." in text
    assert "trained for 1 epoch in batches of 64 from 3 seeds, which makes 24 trainings" in text
    assert results.environment["torch"] in text
    assert results.environment["digests"]["data"]["digits"]["test"] in text
    for record in results.records:
        if record.diverged:
            assert record.outcome.cause in text


def test_an_unfinished_study_says_so(studies):
    results = replace(studies.digits, records=studies.digits.records[:2])
    assert "Unfinished: 2 of 24 members have ended" in Parsed(page.page_text(results)).text
    none = Parsed(page.page_text(replace(results, records=()))).text
    assert "Unfinished: 0 of 24 members have ended" in none


def test_the_file_is_written(studies, tmp_path):
    written = page.write(studies.digits, tmp_path / "report.html")
    assert written.read_text(encoding="utf-8") == page.page_text(studies.digits)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
