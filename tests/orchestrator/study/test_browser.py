"""A study as a browser runs it: taken by keys, by mouse and by touch; what was on the screen, beside what its file says of it."""

import csv
import io
import json
from collections import Counter
from typing import Any

import pytest

from orchestrator.study.making import Wanted, make_study
from tests import browser as browsers
from tests.orchestrator.study.made import RED, folder
from tests.orchestrator.test_report_browser import CONTRAST

pytestmark = pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing() or "there is one")
READY = "document.documentElement.dataset.ready === 'yes'"
AT = "document.documentElement.dataset.at"
ASKED = f"{AT} === 'trial' && !at('question').classList.contains('off')"
WATCH = """(() => {
  window.looks = [];
  const look = () => looks.push(["first", "second", "question"].map((id) => getComputedStyle(at(id)).visibility));
  new MutationObserver(look).observe(at("trial"), { attributes: true, subtree: true, attributeFilter: ["class"] });
})()"""
PIXEL = """(() => {{
  const copy = document.createElement("canvas").getContext("2d", {{ willReadFrequently: true }});
  copy.drawImage(at("{}"), 0, 0);
  return [...copy.getImageData(3, 3, 1, 1).data];
}})()"""
NOTHING, ONE, TWO, QUESTION = (["hidden"] * 3, ["visible", "hidden", "hidden"], ["hidden", "visible", "hidden"],
                               ["hidden", "hidden", "visible"])  # fmt: skip
EXPOSURE = 100


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsers.browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def study(tmp_path):
    """The page of a short study whose title and names mean something to HTML."""
    real, fake = folder(tmp_path, "real", 6, name="a, '{}' \"&lt;.png"), folder(tmp_path, "fake", 6)
    page = tmp_path / "study.html"
    make_study(
        Wanted(real, fake, page, practice=2, scored=4, exposure=f"{EXPOSURE}ms", title="<b>Which</b> {{ data }}?")
    )
    return page


def middle(browser, id):
    """Where a thing is pressed."""
    box = browser.run(f"at('{id}').getBoundingClientRect().toJSON()")
    return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}


def click(browser, id):
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **middle(browser, id))


def touch(browser, id):
    browser.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[middle(browser, id)])
    browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def press(browser, id):
    """The key that stands for a button."""
    keys = {"answer-first": ("1", 49), "answer-second": ("ArrowRight", 39)}
    browser.press(*keys.get(id, ("Enter", 13)))


def take(browser, use, wrong=()):
    """Go through an open study and find every fake but those of the trials in `wrong`; what was on the screen in each trial."""
    browser.run(WATCH)
    browser.run("at('start').focus()")
    use(browser, "start")
    seen: list[tuple[Any, str, str]] = []
    for _ in range(20):
        browser.until(f"({ASKED}) || {AT} === 'told' || {AT} === 'end'")
        now = browser.run(AT)
        if now == "end":
            return seen
        if now == "told":
            use(browser, "next")
            continue
        shown = [browser.run(PIXEL.format(id))[:2] for id in ("first", "second")]
        fake = "first" if shown[0][0] == RED["fake"] else "second"
        seen.append((shown, fake, browser.run("at('progress').textContent")))
        found = fake if len(seen) not in wrong else {"first": "second", "second": "first"}[fake]
        use(browser, f"answer-{found}")
    raise AssertionError(browser.problems)


def rows_of(browser):
    return list(csv.DictReader(io.StringIO(browser.run("at('answers').value"))))


def test_it_is_taken_by_keys_and_read_again(browser, study, tmp_path, run):
    browser.open(study, READY)
    seen = take(browser, press, wrong={1, 4})
    rows = rows_of(browser)
    assert [place for *_, place in seen] == ["Practice 1 of 2", "Practice 2 of 2", *(f"{n} of 4" for n in range(1, 5))]
    for (shown, fake, _), told in zip(seen, rows, strict=True):
        kinds = ["real", "fake"] if told["first"] == "real" else ["fake", "real"]
        assert [pixel[0] for pixel in shown] == [RED[kind] for kind in kinds], "on the screen as in the file"
        assert {"real": "second", "fake": "first"}[told["first"]] == fake
        number = shown[kinds.index("real")][1]
        assert told["real"] == f"a, '{number}' \"&lt;.png"
        assert told["fake"] == f"{shown[kinds.index('fake')][1]:02d}.png"
        assert 0 < float(told["reaction_ms"]) < 60_000
        assert all(float(told[column]) > EXPOSURE - 50 for column in ("first_ms", "second_ms"))
    assert [one["correct"] for one in rows] == ["no", "yes", "yes", "no", "yes", "yes"]
    assert len({one["real"] for one in rows}) == len({one["fake"] for one in rows}) == 6, "none comes twice"
    looks = browser.run("looks")
    assert [look for look, last in zip(looks, [None, *looks[:-1]], strict=True) if look != last] == [
        ONE, NOTHING, TWO, NOTHING, QUESTION, NOTHING] * 6  # fmt: skip
    assert [address for address in browser.asked if not address.startswith("data:")] == [study.as_uri()]
    assert browser.problems == []

    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    click(browser, "save")
    file = tmp_path / f"{rows[0]['study']}-{rows[0]['participant']}.csv"
    for _ in range(200):
        if not file.exists():
            browser.run("new Promise((done) => setTimeout(done, 50))")
    assert file.read_text() == browser.run("at('answers').value")
    code, out, err = run("study", "show", file, "-o", "json")
    assert code == 0, err
    (found,) = json.loads(out)["studies"]
    assert (found["fooled"], found["trials"], found["interval_over"]) == (0.25, 4, "trials")
    assert found["by_participant"][0]["participant"] == rows[0]["participant"]
    assert browser.problems == []


def test_practice_is_told_and_what_counts_is_not(browser, study):
    browser.open(study, READY)
    browser.run("window.said = []")
    browser.run(
        "new MutationObserver(() => said.push(at('verdict').textContent)).observe(at('verdict'), { childList: true })"
    )
    seen = take(browser, click, wrong={2, 3})
    assert browser.run("said") == [
        f"Right: the {seen[0][1]} one was the fake.",
        f"Wrong: the {seen[1][1]} one was the fake.",
        "That was the practice",
    ]
    assert browser.run("document.querySelector('h1').textContent") == "<b>Which</b> {{ data }}?"
    assert browser.run("[unsaved, dispatchEvent(new Event('beforeunload', { cancelable: true }))]") == [True, False], (
        "asks"
    )
    click(browser, "copy")
    browser.until("at('copy').textContent !== 'Copy the text'")
    assert browser.run("[unsaved, dispatchEvent(new Event('beforeunload', { cancelable: true }))]") == [False, True]
    assert browser.problems == []


def test_it_is_taken_by_touch_on_a_phone(browser, study):
    browser.size(360, 640, phone=True)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    browser.open(study, READY)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    take(browser, touch)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    assert [one["correct"] for one in rows_of(browser)] == ["yes"] * 6
    assert browser.run("[...document.querySelectorAll('button, .button')].every((one) => one.hidden || !one.clientHeight || "
                       "one.clientHeight >= 44)")  # fmt: skip
    browser.run("unsaved = false")
    assert browser.problems == []


def test_every_text_is_readable(browser, study):
    browser.open(study, READY)
    for section in ("intro", "trial", "told", "end"):
        browser.run(f"turn('{section}')")
        browser.run("at('question').classList.remove('off')")
        browser.run("at('verdict').textContent = at('progress').textContent = at('next-part').textContent = 'told'")
        count, weak = browser.run(CONTRAST.partition("  const back")[0] + "return [count, told]; })()")
        assert (count > 2, weak) == (True, []), section


def test_a_key_pressed_too_early_is_no_answer(browser, study):
    browser.open(study, READY)
    click(browser, "start")
    browser.until("at('first').classList.contains('seen')")
    for _ in range(3):
        press(browser, "answer-first")
        press(browser, "next")
    browser.until(ASKED)
    assert browser.run(f"[{AT}, at('verdict').textContent]") == ["trial", ""]


def test_what_is_drawn_follows_from_the_code_alone(browser, study):
    browser.open(study, READY)
    draws = "[...Array(400).keys()].map((number) => drawn(`code${number}`).map((one) => [one.real[0], one.fake[0], one.first]))"
    first, again = browser.run(draws), browser.run(draws)
    assert first == again
    assert len({json.dumps(one) for one in first}) == 400
    for place in range(6):
        assert 150 < sum(one[place][2] == "real" for one in first) < 250
        assert min(Counter(one[place][0] for one in first).values()) > 35, "of 400 / 6"
    assert min(Counter(one[0][0] + one[0][1] for one in first).values()) >= 1
    assert len(Counter(one[0][0] + one[0][1] for one in first)) == 36, "any two may meet"
    assert len(set(browser.run("[...Array(500)].map(newCode)"))) == 500


@pytest.mark.parametrize(("reals", "fakes"), [(3, 4), (4, 4), (2, 6), (1, 12)])
def test_no_two_meet_again_before_all_have_met(browser, study, reals, fakes):
    browser.open(study, READY)
    browser.run(
        f"study.real = study.real.slice(0, {reals}); study.fake = [...Array({fakes})].map((_, i) => [`${{i}}.png`, '']);"
    )
    browser.run("study.practice = 0")
    browser.run(f"study.scored = {reals * fakes}")
    for code in ("aaaaaaaa", "bbbbbbbb"):
        met = browser.run(f"drawn('{code}').map((one) => one.real[0] + one.fake[0])")
        assert len(met) == len(set(met)) == reals * fakes


def test_pairs_stay_together(browser, tmp_path):
    real, fake, page = folder(tmp_path, "real", 9), folder(tmp_path, "fake", 9), tmp_path / "paired.html"
    make_study(Wanted(real, fake, page, paired=True, practice=1, scored=4, pictures=9))
    browser.open(page, READY)
    for code in ("aaaaaaaa", "bbbbbbbb"):
        met = browser.run(f"drawn('{code}').map((one) => [one.real[0], one.fake[0]])")
        assert len(met) == 5
        assert all(real == fake for real, fake in met)
        assert len({real for real, _ in met}) == 5
