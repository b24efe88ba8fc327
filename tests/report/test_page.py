import json
import re
import shutil
import statistics
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from fallline.report import page
from tests.report.conftest import HOSTILE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (  # noqa: SIM905
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --virtual-time-budget=10000 --dump-dom"
).split()


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
    assert f"did best: validation loss {best.score:.3g}" in text
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


CLICKS = """
<script>
const wrong = [];
window.addEventListener("error", (event) => wrong.push(event.message));
window.addEventListener("securitypolicyviolation", (event) => wrong.push(event.violatedDirective));
for (const place of ["curve-controls", "tried-controls"]) {
  const buttons = () => document.getElementById(place).querySelectorAll("button");
  for (let i = 0; i < buttons().length; i += 1) buttons()[i].click();
}
document.title = "clicked " + (wrong.length ? wrong.join("; ") : "without error");
</script>
</body>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine to render the page with")
@pytest.mark.parametrize("name", ["digits", "all_diverged", "nothing"])
def test_a_browser_draws_the_charts_and_every_button_works(studies, tmp_path, name):
    results = replace(studies.digits, records=()) if name == "nothing" else getattr(studies, name)
    dom = rendered(page.page_text(results).replace("</body>", CLICKS), tmp_path)
    assert "<title>clicked without error</title>" in dom
    drawn = re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    assert (drawn.count('class="main-svg"') >= 2) == (name != "nothing")
    if name == "digits":
        medians = len(results.ranking)
        seeds = sum(len(row.winners) for row in results.ranking)
        assert drawn.count('class="trace scatter') >= 2 * medians + seeds
        assert "&lt;/script&gt;&lt;b&gt;" in drawn


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine to render the page with")
def test_a_browser_draws_twelve_panels_on_one_scale_and_all_at_a_click(studies, tmp_path):
    told = """<script>
const shown = () => [...document.querySelectorAll("#curve-charts .chart")];
const first = shown().length, scales = new Set(shown().map((box) => box.layout.yaxis.range.join()));
[...document.querySelectorAll("#tried-controls button")].find((button) => button.textContent === "all 14").click();
const tried = document.querySelectorAll("#tried-charts .chart").length;
document.title = [first, scales.size, shown().length, tried].join(" ");
</script></body>"""
    assert sum(panel["atFirst"] for panel in data_of(page.page_text(studies.many))["panels"]) == 12
    assert "<title>12 1 14 14</title>" in rendered(page.page_text(studies.many).replace("</body>", told), tmp_path)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine to render the page with")
def test_a_browser_draws_noise_scale_and_sharpness(studies, tmp_path):
    html = page.page_text(studies.recorded)
    dom = rendered(html.replace("</body>", CLICKS), tmp_path)
    assert "<title>clicked without error</title>" in dom
    for name in ("noise_scale", "sharpness"):
        charts = dom[dom.index(f'id="inside-{name}"') :]
        charts = charts[: charts.index("</section>")].split("<h3>")[0]
        assert charts.count('class="trace scatter') >= 2 * 3 * 2
        assert charts.count('class="js-fill"') >= 2 * 2


def rendered(html, folder):
    file = folder / "report.html"
    file.write_text(html, encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
