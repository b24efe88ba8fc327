"""The page in a real browser: what is drawn, zoomed, tapped, printed and asked for."""

import json
from dataclasses import replace

import pytest

from fallline.report import page
from tests.report.chromium import PROGRAM, Chromium
from tests.report.conftest import HOSTILE

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine to render the page with")

STUDIES = ["judged", "conditions_judged", "digits", "cubic", "two_problems", "all_diverged", "one_rate", "recorded"]

CHARTS = """[...document.querySelectorAll(".chart")].map((box) => {
  const drawn = [...box.querySelectorAll(".trace path, .trace .point, .heatmaplayer image, .js-fill")];
  return { section: box.closest("section").id, titled: Boolean(box.previousSibling.textContent),
    traces: box.data.length, drawn: drawn.filter((mark) => mark.getBoundingClientRect().width > 0).length };
})"""

CLIPPED = """(() => {
  const wide = (element) => element.closest(".wide, pre");
  const inside = (rect) => rect.width === 0 || (rect.left >= -1 && rect.right <= window.innerWidth + 1);
  const texts = [...document.querySelectorAll("body *")].filter((element) => !wide(element) && !element.closest("svg")
    && !inside(element.getBoundingClientRect()));
  const labels = [...document.querySelectorAll(".chart svg text")].filter((text) =>
    !inside(text.getBoundingClientRect()));
  const hidden = [...document.querySelectorAll("p, li, th, td, button, dd, figcaption")].filter((element) =>
    !element.closest(".matrix") && element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1);
  return [...texts, ...labels, ...hidden].map((element) => `${element.tagName} ${element.textContent.slice(0, 40)}`);
})()"""

CLICK_ALL = """(() => {
  let count = 0;
  for (const id of [...document.querySelectorAll(".controls")].map((place) => place.id)) {
    const buttons = () => document.getElementById(id).querySelectorAll("button");
    for (let i = 0; i < buttons().length; i += 1) { buttons()[i].click(); count += 1; }
  }
  return count;
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    started = Chromium(tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def pages(studies):
    texts = {}

    def text(name):
        if name not in texts:
            texts[name] = page.page_text(getattr(studies, name))
        return texts[name]

    return text


def sections(browser):
    return [chart["section"] for chart in browser.ask(CHARTS)]


@pytest.mark.parametrize("name", STUDIES)
def test_every_chart_draws_and_nothing_is_fetched(browser, pages, name):
    browser.open(pages(name))
    charts = browser.ask(CHARTS)
    assert {"curves"} <= {chart["section"] for chart in charts}
    for chart in charts:
        assert chart["titled"], chart
        assert chart["traces"] > 0, chart
        assert chart["drawn"] > 0 or name == "all_diverged", chart
    assert browser.ask(CLICK_ALL) >= 2
    assert [chart for chart in browser.ask(CHARTS) if not chart["drawn"] and name != "all_diverged"] == []
    assert browser.errors == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []


def test_a_study_of_which_nothing_has_ended_has_no_charts_and_no_errors(browser, studies):
    browser.open(page.page_text(replace(studies.digits, records=())))
    assert browser.ask(CHARTS) == []
    assert browser.errors == []


def test_twelve_panels_are_on_one_scale_and_all_at_a_click(browser, pages):
    browser.open(pages("many"))
    scales = '[...document.querySelectorAll("#curve-charts .chart")].map((box) => box.layout.yaxis.range)'
    assert len({tuple(scale) for scale in browser.ask(scales)}) == 1
    assert sections(browser).count("curves") == sections(browser).count("sensitivity") == 12
    browser.ask("""[...document.querySelectorAll("#tried-controls button")].find((button) =>
        button.textContent === "all 14").click()""")
    assert sections(browser).count("curves") == sections(browser).count("sensitivity") == 14


def test_noise_scale_and_sharpness_have_a_line_and_a_band_for_each_optimizer(browser, pages):
    browser.open(pages("recorded"))
    for name in ("noise_scale", "sharpness"):
        assert browser.ask(f'document.querySelectorAll("#inside-{name} .trace.scatter").length') >= 2 * 3 * 2
        assert browser.ask(f'document.querySelectorAll("#inside-{name} .js-fill").length') >= 2 * 2


def test_each_section_is_there_where_it_has_something_to_show(browser, pages):
    browser.open(pages("digits"))
    assert sections(browser) == ["curves", "sensitivity", "budgets", "arrivals"]
    browser.open(pages("cubic"))
    assert sections(browser) == ["curves"] * 2 + ["sensitivity"] * 2 + ["heat"] * 2 + ["budgets"] * 2
    browser.open(pages("two_problems"))
    assert sections(browser).count("overall") == 2
    browser.open(pages("one_rate"))
    assert set(sections(browser)) == {"curves"}
    browser.open(pages("judged"))
    assert sections(browser)[:2] == ["verdict", "curves"]


@pytest.mark.parametrize(("name", "charted"), [
    ("judged", ["verdict", "curves", "sensitivity", "budgets", "arrivals"]), ("cubic", ["heat"]),
    ("two_problems", ["overall"]),
])  # fmt: skip
def test_a_drag_zooms(browser, pages, name, charted):
    browser.open(pages(name))
    for section in charted:
        chart = f'document.querySelector("#{section} .chart")'
        browser.ask(f'{chart}.scrollIntoView({{ block: "center", behavior: "instant" }})')
        browser.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        left, top, width, height = browser.ask(
            "(({ left, top, width, height }) => [left, top, width, height])"
            f'({chart}.querySelector(".nsewdrag").getBoundingClientRect())'
        )
        before = browser.ask(f"{chart}.layout.xaxis.range")
        browser.drag((left + 0.3 * width, top + 0.3 * height), (left + 0.7 * width, top + 0.7 * height))
        browser.wait(f"JSON.stringify({chart}.layout.xaxis.range) !== {json.dumps(json.dumps(before))}")
        low, high = browser.ask(f"{chart}.layout.xaxis.range")
        span = before[1] - before[0]
        assert high - low == pytest.approx(0.4 * span, rel=0.05), section
        assert low - before[0] == pytest.approx(0.3 * span, rel=0.05), section
    assert browser.errors == []


def test_the_matrix_tells_a_pair_by_click_and_by_keys(browser, pages):
    browser.open(pages("judged"))
    told = 'document.querySelector(".told").textContent'
    pressed = (
        '[...document.querySelectorAll(".matrix [aria-pressed=true]")].map((square) => square.dataset.pair).join()'
    )
    seen = {browser.ask(told)}
    assert browser.ask(pressed).split(",")[0] == browser.ask(pressed).split(",")[1]
    # One stop for the tab key, then arrows.
    assert browser.ask("document.querySelectorAll(\".matrix button[tabindex='0']\").length") == 1
    browser.ask('document.querySelector(".matrix button").focus()')
    browser.key("ArrowRight")
    seen.add(browser.ask(told))
    browser.key("ArrowDown")
    seen.add(browser.ask(told))
    assert len(seen) == 3
    assert browser.ask("document.activeElement.dataset.row") == "1"
    for name in ("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft"):
        browser.key(name)
    assert browser.ask("[document.activeElement.dataset.row, document.activeElement.dataset.column].join()") == "0,1"
    browser.ask('document.querySelectorAll(".matrix tr:last-child button")[1].click()')
    assert browser.ask(told) in seen
    names = browser.ask('document.querySelector(".pair-chart figcaption").textContent')
    sentence = browser.ask(told)
    assert all(name.split(" has ")[0].strip("◂▸ ") in sentence for name in names.split("▸") if name.strip())
    assert browser.errors == []


@pytest.mark.parametrize("name", ["judged", "digits", "cubic", "two_problems", "recorded"])
def test_a_phone_shows_all_of_it(browser, pages, name):
    browser.open(pages(name), width=400, height=800)
    assert browser.ask("document.documentElement.scrollWidth") == 400
    assert browser.ask(CLIPPED) == []
    browser.ask('document.querySelectorAll("details").forEach((details) => { details.open = true; })')
    assert browser.ask("document.documentElement.scrollWidth") == 400
    assert browser.ask(CLIPPED) == []


def test_print_has_the_tables_and_no_buttons(browser, pages):
    browser.open(pages("judged"))
    assert browser.ask('[...document.querySelectorAll("details")].some((details) => !details.open)')
    printed = browser.printed()
    assert printed.startswith(b"%PDF")
    assert browser.ask('[...document.querySelectorAll("details")].every((details) => details.open)')
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert browser.ask('getComputedStyle(document.querySelector(".controls")).display') == "none"
    assert browser.ask('document.querySelector("#verdict details table").getBoundingClientRect().height') > 100
    browser.send("Emulation.setEmulatedMedia", media="")
    assert browser.errors == []


def test_hostile_names_are_text_everywhere(browser, pages):
    browser.open(pages("judged"))
    shown = HOSTILE.split(" ")[0]
    browser.ask("""[...document.querySelectorAll(".matrix tbody tr")].find((row) =>
        row.textContent.includes("</script>")).querySelector("button").click()""")
    for place in (".told", ".matrix tbody", ".matrix thead", ".pair-chart figcaption", "#verdict details", "#ranking"):
        texts = browser.ask(f"[...document.querySelectorAll({json.dumps(place)})].map((one) => one.textContent)")
        assert any(HOSTILE in text for text in texts), place
    assert browser.ask('[...document.querySelectorAll("main b")].every((sign) => "▲△=▽▼".includes(sign.textContent))')
    legends = browser.ask('[...document.querySelectorAll(".chart .legendtext")].map((text) => text.textContent)')
    assert sum(shown in text for text in legends) == 4
    assert browser.errors == []
