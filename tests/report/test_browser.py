"""The page in a real browser: what is drawn, zoomed, tapped, printed and asked for."""

import json

import pytest

from fallline.report import page
from tests.report.chromium import PROGRAM, Chromium
from tests.report.conftest import HOSTILE

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine to render the page with")

STUDIES = ["digits", "cubic", "two_problems", "all_diverged", "one_rate", "recorded"]

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
  const labels = [...document.querySelectorAll(".chart svg text")].filter((text) => !inside(text.getBoundingClientRect()));
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


def test_each_section_is_there_where_it_has_something_to_show(browser, pages):
    browser.open(pages("digits"))
    assert sections(browser) == ["curves", "sensitivity", "budgets", "arrivals"]
    browser.open(pages("cubic"))
    assert sections(browser) == ["curves"] * 2 + ["sensitivity"] * 2 + ["heat"] * 2 + ["budgets"] * 2
    browser.open(pages("two_problems"))
    assert sections(browser).count("overall") == 2
    browser.open(pages("one_rate"))
    assert set(sections(browser)) == {"curves"}


@pytest.mark.parametrize(("name", "section"), [
    ("digits", "curves"), ("digits", "sensitivity"), ("digits", "budgets"), ("digits", "arrivals"), ("cubic", "heat"),
    ("two_problems", "overall"),
])  # fmt: skip
def test_a_drag_zooms_and_a_double_click_goes_back(browser, pages, name, section):
    if browser.ask("document.title") != f"fallline: {name}" or browser.errors:
        browser.open(pages(name))
    chart = f'document.querySelector("#{section} .chart")'
    browser.ask(f'{chart}.scrollIntoView({{ block: "center", behavior: "instant" }})')
    settled = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    browser.ask(settled)
    area = browser.ask(
        f"(({{ left, top, width, height }}) => [left, top, width, height])"
        f'({chart}.querySelector(".nsewdrag").getBoundingClientRect())'
    )
    before = browser.ask(f"{chart}.layout.xaxis.range")
    left, top, width, height = area
    browser.drag((left + 0.3 * width, top + 0.3 * height), (left + 0.7 * width, top + 0.7 * height))
    browser.wait(f"JSON.stringify({chart}.layout.xaxis.range) !== {json.dumps(json.dumps(before))}")
    low, high = browser.ask(f"{chart}.layout.xaxis.range")
    assert high - low == pytest.approx(0.4 * (before[1] - before[0]), rel=0.05)
    assert low == pytest.approx(before[0] + 0.3 * (before[1] - before[0]), rel=0.05, abs=0.01)
    assert browser.errors == []


@pytest.mark.parametrize("name", ["digits", "cubic", "two_problems", "recorded"])
def test_a_phone_shows_all_of_it(browser, pages, name):
    browser.open(pages(name), width=400, height=800)
    assert browser.ask("document.documentElement.scrollWidth") == 400
    assert browser.ask(CLIPPED) == []
    browser.ask('document.querySelectorAll("details").forEach((details) => { details.open = true; })')
    assert browser.ask("document.documentElement.scrollWidth") == 400
    assert browser.ask(CLIPPED) == []


def test_print_has_the_tables_and_no_buttons(browser, pages):
    browser.open(pages("digits"))
    assert browser.ask('[...document.querySelectorAll("details")].some((details) => !details.open)')
    printed = browser.printed()
    assert printed.startswith(b"%PDF")
    assert browser.ask('[...document.querySelectorAll("details")].every((details) => details.open)')
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert browser.ask('getComputedStyle(document.querySelector(".controls")).display') == "none"
    assert browser.ask('document.querySelector("#budgets details table").getBoundingClientRect().height') > 100
    browser.send("Emulation.setEmulatedMedia", media="")
    assert browser.errors == []


def test_hostile_names_are_text_everywhere(browser, pages):
    browser.open(pages("digits"))
    assert HOSTILE in browser.ask("document.body.textContent")
    assert browser.ask('document.querySelectorAll("main b:not(.matrix b)").length') == 0
    legends = browser.ask('[...document.querySelectorAll(".chart .legendtext")].map((text) => text.textContent)')
    assert sum(HOSTILE.split(" ")[0] in text for text in legends) == 4
    assert browser.errors == []
