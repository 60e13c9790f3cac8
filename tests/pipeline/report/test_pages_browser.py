"""The report in headless Chromium: no console errors, every section there, fit for a phone; pictures are kept."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from support.report_fixtures import CLOSED, FAILED, PARTIAL, PUSHED, SECTIONS, make_runs

PHONE, DESK = 390, 1280
PAPER = 673  # A4 without its margins, in CSS pixels
THEMES = [("light", ()), ("dark", ("--blink-settings=preferredColorScheme=0",))]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
)


def find_chromium():
    """Returns Chromium's path; without one the test skips, or fails where it must not be absent."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    reason = "no Chromium on PATH; on Debian: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(f"CI needs the browser test: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browse(tmp_path_factory):
    """Opens a file and returns its DOM as text and the messages of its console; may keep a picture."""
    chromium = find_chromium()
    profile = tmp_path_factory.mktemp("chromium")

    def browse(file, *options, picture=None, size=(DESK, 2000)):
        command = [chromium, *FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", *options]
        command += [f"--screenshot={picture}"] if picture else []
        done = subprocess.run(
            [*command, "--dump-dom", f"file://{quote(str(file))}"], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout, re.findall(r":CONSOLE[:(].*", done.stderr)

    return browse


@pytest.fixture(scope="module")
def store(tmp_path_factory, browse):  # without a browser no run is made
    return make_runs(tmp_path_factory)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The folder for screenshots: $CROSSNET_SCREENSHOTS, else a temporary one."""
    chosen = os.environ.get("CROSSNET_SCREENSHOTS")
    folder = Path(chosen).absolute() if chosen else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def frame(path, page, width, height):
    """Writes a page that shows `page` in a frame as wide as a phone: headless windows are at least 500 wide."""
    source = html.escape(page.read_text(encoding="utf-8"))
    style = f"border:0;width:{width}px;height:{height}px"
    path.write_text(f'<!doctype html><body style="margin:0"><iframe srcdoc="{source}" style="{style}"></iframe>')
    return path


def is_picture(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 20_000


def test_browser_notices_a_console_error(browse, tmp_path):
    page = tmp_path / "broken.html"
    page.write_text("<!doctype html><script>console.error('boom')</script>")
    _, console = browse(page)
    assert len(console) == 1
    assert "boom" in console[0]


@pytest.mark.parametrize(("theme", "options"), THEMES)
def test_report_opens_without_console_errors(browse, store, pictures, theme, options):
    picture = pictures / f"report-{theme}.png"
    dom, console = browse(store.runs / PUSHED / "report.html", *options, picture=picture, size=(DESK, 8000))
    assert console == []
    assert re.findall(r'<section id="(\w+)"', dom) == SECTIONS
    assert is_picture(picture)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "sections"), [(FAILED, ["verdict", "steps", "settings", "versions"]), (CLOSED, SECTIONS)]
)
def test_report_of_a_run_that_did_not_push_opens_without_console_errors(browse, store, pictures, run, sections):
    picture = pictures / f"report-{run}.png"
    dom, console = browse(store.runs / run / "report.html", picture=picture)
    assert console == []
    assert re.findall(r'<section id="(\w+)"', dom) == sections
    assert is_picture(picture)


def test_index_opens_without_console_errors(browse, store, pictures):
    dom, console = browse(store.runs / "index.html", picture=pictures / "index.png", size=(DESK, 1000))
    assert console == []
    assert re.findall(r'<section id="(\w+)"', dom) == ["rmse", "runs"]


def test_report_fits_a_phone(browse, store, pictures, tmp_path):
    picture = pictures / "report-phone.png"
    browse(
        frame(tmp_path / "phone.html", store.runs / PUSHED / "report.html", PHONE, 9000),
        picture=picture,
        size=(PHONE, 9000),
    )
    assert is_picture(picture)


@pytest.mark.slow
def test_pages_are_never_wider_than_the_window(browse, store, tmp_path):
    pages = [store.runs / run / "report.html" for run in (PUSHED, CLOSED, FAILED, PARTIAL)] + [
        store.runs / "index.html"
    ]
    sources = [html.escape(page.read_text(encoding="utf-8")) for page in pages]
    frames = "".join(
        f'<iframe style="width:{width}px;height:800px" srcdoc="{source}"></iframe>'
        for source in sources
        for width in (PHONE, DESK)
    )
    script = """
      addEventListener("load", () => {
        const found = [...document.querySelectorAll("iframe")].map(frame => {
          const page = frame.contentDocument;
          return {wide: page.documentElement.scrollWidth, window: frame.contentWindow.innerWidth,
                  text: Math.min(...[...page.querySelectorAll("svg")].filter(e => e.getClientRects().length).map(
                    e => e.getBoundingClientRect().width / e.viewBox.baseVal.width))};
        });
        document.body.textContent = JSON.stringify(found);
      });
    """
    probe = tmp_path / "probe.html"
    probe.write_text(f"<!doctype html><body>{frames}<script>{script}</script>")
    dom, console = browse(probe)
    found = json.loads(html.unescape(re.search(r"\[.*\]", dom).group()))
    assert console == []
    assert len(found) == 10
    for page in found:
        assert page["wide"] <= page["window"]
        assert page["text"] is None or page["text"] > 0.8  # a picture's letters, 11 px, are not shrunk below 9


def probe(browse, folder, pages, script, *options):
    """Returns what `script`, the body of a function of a frame's document and window, finds in each framed page."""
    frames = "".join(
        f'<iframe style="width:{width}px;height:800px" srcdoc="{html.escape(source)}"></iframe>'
        for source, width in pages
    )
    work = (
        f"const look = (page, view) => {{{script}}};"
        + """
      addEventListener("load", () => {
        const found = [...document.querySelectorAll("iframe")].map(f => look(f.contentDocument, f.contentWindow));
        document.body.textContent = JSON.stringify(found);
      });"""
    )
    path = folder / "probe.html"
    path.write_text(f"<!doctype html><body>{frames}<script>{work}</script>")
    dom, console = browse(path, *options)
    assert console == []
    return json.loads(html.unescape(re.search(r"\[.*\]", dom).group()))


CONTRAST = """
  const parts = color => color.match(/[\\d.]+/g).map(Number);
  const light = color => parts(color).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const color = view.getComputedStyle(e).backgroundColor;
      if (parts(color)[3] !== 0) return color;
    }
  };
  const written = [...page.querySelectorAll("body *")].filter(e => !e.closest("svg, script, style") &&
    e.getClientRects().length && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  const found = written.map(e => {
    const [dark, bright] = [light(view.getComputedStyle(e).color), light(ground(e))].sort((a, b) => a - b);
    return [(bright + 0.05) / (dark + 0.05), e.outerHTML.slice(0, 100)];
  });
  return {paper: light(view.getComputedStyle(page.body).backgroundColor), words: found.length,
          faint: found.filter(([ratio]) => ratio < 4.5)};
"""


@pytest.mark.slow
@pytest.mark.parametrize(("theme", "options"), THEMES)
def test_all_text_has_the_contrast_that_wcag_asks_for(browse, store, tmp_path, theme, options):
    pages = [(page.read_text(encoding="utf-8"), width) for page in pages_of(store) for width in (PHONE, DESK)]
    for found in probe(browse, tmp_path, pages, CONTRAST, *options):
        assert found["faint"] == []
        assert found["words"] > 5
        assert (found["paper"] > 0.5) == (theme == "light")


def pages_of(store):
    return [store.runs / run / "report.html" for run in (PUSHED, CLOSED, FAILED)] + [store.runs / "index.html"]


@pytest.mark.slow
def test_tables_are_sorted_by_the_column_that_is_chosen(browse, store, tmp_path):
    script = """
      const column = (id, at, place) => {
        const table = page.querySelectorAll(`#${id} table`)[at], head = table.tHead.rows[0].cells[place];
        const seen = () => [...table.tBodies].map(body => [...body.rows].map(row => row.cells[place].textContent));
        const orders = [seen()];
        for (let i = 0; i < 2; i++) { head.querySelector("button").click(); orders.push(seen()); }
        return {orders, sorted: head.getAttribute("aria-sort")};
      };
      return {rmse: column("models", 0, 4), name: column("models", 0, 0), statistics: column("data", 0, 4),
              gate: page.querySelector("#gate table").querySelector("button") === null};
    """
    page = (store.runs / PUSHED / "report.html").read_text(encoding="utf-8")
    (found,) = probe(browse, tmp_path, [(page, DESK)], script)
    _, up, down = ([float(text) for text in order[0]] for order in found["rmse"]["orders"])
    assert up == sorted(up) == down[::-1]
    assert len(up) == 4
    assert found["rmse"]["sorted"] == "descending"
    assert found["name"]["orders"][1][0] == ["cross_layer", "dense", "linear", "mean_predictor"]
    # Of the statistics, the rows of a column stay together; text has no mean, and stands last.
    before, up, down = found["statistics"]["orders"]
    assert sorted(map(str, before)) == sorted(map(str, up)) == sorted(map(str, down))
    assert [float(body[0]) for body in up[:-1]] == sorted(float(body[0]) for body in up[:-1])
    assert up[-1] == down[-1] == ["", ""]
    assert found["gate"]  # its rows belong to a candidate


@pytest.mark.slow
def test_the_value_under_the_pointer_is_shown_and_goes_away(browse, store, tmp_path):
    script = """
      const tip = page.querySelector(".tip");
      const at = (chart, type, x, y) => {
        const box = chart.getBoundingClientRect(), scale = box.width / chart.viewBox.baseVal.width;
        const place = {clientX: box.left + x * scale, clientY: box.top + y * scale, bubbles: true};
        chart.dispatchEvent(new view.PointerEvent(type, place));
        const inside = tip.getBoundingClientRect().right <= view.innerWidth;
        return {hidden: tip.hidden, text: tip.textContent, inside};
      };
      const charts = [...page.querySelectorAll("svg[data-hover]")].filter(e => e.getClientRects().length);
      const first = chart => chart.dataset.hover.split("\\n")[0].split(" ");
      const shown = charts.map(chart => {
        const [x, y, ...words] = first(chart);
        return {...at(chart, "pointermove", Number(x), Number(y)), words: words.join(" ")};
      });
      return {shown, left: at(charts[0], "pointerleave", 0, 0).hidden, before: shown.length,
              none: [...page.querySelectorAll("svg:not([data-hover])")].map(e => e.ariaLabel.slice(0, 40))};
    """
    page = (store.runs / PUSHED / "report.html").read_text(encoding="utf-8")
    for found in probe(browse, tmp_path, [(page, PHONE), (page, DESK)], script):
        assert found["before"] > 8  # training, predictions, residuals, importance, dependence, distributions
        assert found["none"] == [  # no row of dense lies in its picture; the graph has its words in it
            *("Predicted against actual of dense, 57 ev", "The steps from top to bottom: example_ge")
        ]
        assert found["left"]
        for chart in found["shown"]:
            assert not chart["hidden"]
            assert chart["inside"]
            assert chart["text"] == chart["words"]


@pytest.mark.slow
def test_nothing_is_cut_on_paper(browse, store, tmp_path):
    pages = [page.read_text(encoding="utf-8").replace("@media print", "@media all") for page in pages_of(store)]
    script = """
      const edges = [...page.querySelectorAll("svg text, th, td, p")].filter(e => e.getClientRects().length)
        .map(e => [e.getBoundingClientRect(), e.textContent.slice(0, 60)]);
      return edges.filter(([edge]) => edge.left < -1 || edge.right > view.innerWidth + 1).map(([, text]) => text);
    """
    assert probe(browse, tmp_path, [(page, PAPER) for page in pages], script) == [[]] * len(pages)
