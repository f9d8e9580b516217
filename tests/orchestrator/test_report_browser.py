"""A report as a browser shows it: nothing asked of a network, nothing thrown, readable, usable by keyboard and on a phone."""

import pytest

from orchestrator.finding import find_sweep
from orchestrator.report.report import write_report
from tests import browser as browsers
from tests.orchestrator.reported import ID, L1, SSIM, World, evil

pytest.importorskip("plotly", reason="the extra `report` is not installed")
pytestmark = pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing() or "there is one")
READY = "document.documentElement.dataset.ready === 'yes'"
# What is read against what lies behind it, by WCAG 2.2, 1.4.3: of all texts that are shown, those that are too weak.
CONTRAST = """(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, place) => sum + c * [0.2126, 0.7152, 0.0722][place], 0);
  const ratio = (one, other) => {
    const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0.99) return found;
    }
  };
  const told = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    const hidden = ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName) || !element.getClientRects().length;
    if (!node.textContent.trim() || hidden) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    const found = ratio(parse(element instanceof SVGElement ? style.fill : style.color), ground(element));
    count += 1;
    if (!(found >= least)) told.push(`${node.textContent.trim().slice(0, 30)}: ${found}`);
  }
  const back = ground(document.body);  // of what is drawn, 1.4.11
  for (const name of ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "weak", "strong"]) {
    const [r, g, b] = [1, 3, 5].map((place) => parseInt(colour(name).slice(place, place + 2), 16));
    const found = ratio([r, g, b], back);
    if (!(found >= 3)) told.push(`--${name}: ${found}`);
  }
  return [count, told];
})()"""
LAST_OPTIONS = """document.querySelectorAll("select").forEach((one) => {
  one.selectedIndex = one.options.length - 1;
  one.dispatchEvent(new Event("change"));
})"""
WIDTHS = """Promise.all(data.pictures.flatMap((one) => one.steps).map(async ([, src]) => {
  const image = new Image();
  image.src = src;
  await image.decode();
  return image.width;
}))"""
HEAD = """[...document.querySelectorAll("#leaderboard-table th")].find((head) => head.textContent === "{0}")"""
COLUMN = f"[...document.querySelectorAll('#leaderboard-table tbody tr')].map((row) => row.cells[({HEAD}).cellIndex].textContent)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsers.browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The page of a sweep with two objectives whose every text tries to run, open."""
    folder = tmp_path_factory.mktemp("sweep")
    about = {"objectives": [L1, SSIM], "constraints": [], "data": {"name": evil("data"), "license": evil("license")}}
    about |= {"axes": {"weights.l1": evil("axis"), "hyper.penalty": evil("axis")}, "written": {"name": evil("written")}}
    world = World(folder, evil("name"), **about)
    world.trial([0.5, 0.4, 0.3, 0.2]).trial([0.45, 0.3, 0.25, 0.1]).trial(
        [0.6, 0.55], "stopped", by="asha", why=evil("why")
    )
    world.trial(
        [{"eval/l1": 0.15, "eval/ssim": 0.95, f"eval/{evil('metric')}": 1.0}],
        params={"weights.l1": 20.0, "hyper.penalty": evil("value")},
    )
    world.trial([0.35], "failed", error=evil("error"), params={"weights.l1": 0.5})
    world.trial([], "running").add("failed", trial=5, error=evil("failure"), count=1).add("started", trial=5, attempt=2)
    world.close("interrupted")
    file = folder / "page.html"
    write_report(find_sweep(ID, str(folder)), file)
    browser.open(file, READY)
    return file


def choose(browser, id, value):
    """As somebody would in a list."""
    browser.run(f"(() => {{ at('{id}').value = '{value}'; at('{id}').dispatchEvent(new Event('change')); }})()")


def test_it_asks_nothing_and_nothing_goes_wrong(browser, page):
    assert browser.run("document.querySelectorAll('.chart svg.main-svg').length") > 6, "the charts are drawn"
    assert [address for address in browser.asked if not address.startswith("data:")] == [page.as_uri()]
    assert browser.problems == []


def test_what_others_wrote_is_shown_and_never_run(browser, page):
    for name in ("name", "license", "why", "error", "value", "written", "data"):
        assert browser.run("document.body.innerText").count(f"window.hacked='{name}'") > 0, name
    browser.run(LAST_OPTIONS)
    failures = "at('chart-timeline').data.findIndex((trace) => trace.name === 'fails')"
    browser.run(f"Plotly.Fx.hover('chart-timeline', [{{curveNumber: {failures}, pointNumber: 0}}])")
    hover = browser.run("at('chart-timeline').querySelector('.hoverlayer').textContent")
    assert "".join(evil("failure").split()) in "".join(hover.split()), "charts have a markup of their own"
    assert browser.run("window.hacked ?? null") is None
    assert browser.run("[...document.querySelectorAll('img')].filter((one) => !one.id).length") == 0
    assert browser.problems == []
    browser.open(page, READY)


def test_every_picture_is_one(browser, page):
    assert browser.run(WIDTHS) == [214] * 12


def test_it_is_sorted_by_a_column_either_way(browser, page):
    assert browser.run(COLUMN.format("rank")) == ["1", "2", "3", "4", "5", "6"]
    browser.run(f"({HEAD}).firstChild.focus()".format("eval/l1"))
    seen = []
    for _ in range(2):
        browser.press("Enter", 13)
        seen.append(browser.run(COLUMN.format("eval/l1")))
    assert seen[0] == ["0.1", "0.15", "0.2", "0.35", "0.55", ""]
    assert seen[1] == ["0.55", "0.35", "0.2", "0.15", "0.1", ""], "what has no value stays last"
    assert browser.run(f"({HEAD}).ariaSort".format("eval/l1")) == "descending"


def test_the_slider_goes_through_the_steps(browser, page):
    choose(browser, "picture-left", 1)
    choose(browser, "picture-right", 2)
    told = [f"at('picture-{name}').textContent" for name in ("shown", "left-step", "right-step")]
    shown = f"[{', '.join(told)}, at('picture-left-image').src]"
    last = browser.run(shown)
    assert last[:3] == ["step 400", "at step 400", "at step 200"], "the second was stopped there"
    browser.run("at('picture-step').focus()")
    steps = [browser.press("ArrowLeft", 37) or browser.run(shown) for _ in range(3)]
    assert [one[0] for one in steps] == ["step 300", "step 200", "step 100"]
    assert steps[-1][2] == "at step 100"
    assert len({one[3] for one in [last, *steps]}) == 4, "each step has its own picture"


def test_a_setting_is_highlighted_everywhere(browser, page):
    faint = "at('chart-scores').data.filter((trace) => trace.opacity < 1).length"
    assert browser.run(faint) == 0
    choose(browser, "highlight", 1)
    assert browser.run(faint) == browser.run("at('chart-scores').data.length") - 1
    assert browser.run("[...document.querySelectorAll('tr.chosen')].map((row) => row.cells[1].textContent)") == ["1"]
    choose(browser, "highlight", "")


def test_one_trial_shows_all_its_numbers(browser, page):
    choose(browser, "curves-trial", 0)
    assert browser.run("at('chart-scores').data.map((trace) => trace.name)") == ["eval/l1", "eval/ssim"]
    assert browser.run("at('chart-losses').data.map((trace) => trace.name)") == ["loss/adv"], "one was never finite"
    choose(browser, "curves-trial", "")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("light", 390), ("dark", 1280), ("dark", 390)])
def test_every_text_is_readable_and_the_page_never_scrolls_sideways(browser, page, scheme, width):
    browser.scheme(scheme)
    browser.size(width, 844, phone=width == 390)
    browser.run("new Promise((done) => setTimeout(done, 300))")  # the charts take the new width
    count, weak = browser.run(CONTRAST)
    assert (count > 200, weak) == (True, [])
    assert (
        browser.run("getComputedStyle(document.body).backgroundColor")
        == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 22, 28)"}[scheme]
    )
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.problems == []


def test_all_that_can_be_used_can_be_reached_by_keyboard(browser, page):
    browser.open(page, READY)
    reached = "(document.activeElement.id || document.activeElement.className || document.activeElement.hash)"
    first = [browser.press("Tab", 9) or browser.run(reached) for _ in range(3)]
    assert first == ["skip", "#summary", "#leaderboard"]
    assert (
        browser.run(
            "[...document.querySelectorAll('a, button, select, input, .scroll, pre')].filter((one) => one.tabIndex < 0).length"
        )
        == 0
    )
