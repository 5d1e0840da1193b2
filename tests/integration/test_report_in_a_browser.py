"""The report in a browser, on a desk and on a phone, by day and by night: nothing complains, sticks out or lies on something else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reports.building import build
from reports.results import read_results
from tests.integration.browser import Browser, chromium
from tests.unit.reports import files, server_files

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium is installed: apt-get install chromium"),
]
WINDOWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]

#: Blocks of text and pictures that lie over each other; texts of one picture that do, or are cut at its edge.
OVERLAPS = """
(() => {
  const seen = e => { const r = e.getBoundingClientRect(); return {r, area: r.width * r.height, e}; };
  const over = (a, b) => Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left) > 1.5 &&
                         Math.min(a.r.bottom, b.r.bottom) - Math.max(a.r.top, b.r.top) > 1.5;
  const found = [];
  const pairs = (list, name) => list.forEach((a, i) => list.slice(i + 1).forEach(b => {
    if (over(a, b)) found.push(name(a.e, b.e));
  }));
  const blocks = [...document.querySelectorAll('h1, h2, h3, p, li, svg, table, figcaption')].map(seen).filter(x => x.area);
  pairs(blocks, (a, b) => `${a.tagName} over ${b.tagName}: ${b.textContent.slice(0, 60)}`);
  const said = e => { const c = [...e.childNodes].find(n => n.nodeType === 8); return c ? c.data.trim() : ''; };
  document.querySelectorAll('svg').forEach(svg => {
    const texts = [...svg.querySelectorAll('g[id*="-text_"]')].map(seen).filter(x => x.area);
    const frame = svg.getBoundingClientRect();
    texts.filter(x => x.r.right > frame.right + 1 || x.r.left < frame.left - 1).forEach(x => found.push(`"${said(x.e)}" is cut`));
    pairs(texts, (a, b) => `${svg.getAttribute('aria-label').slice(0, 40)}: "${said(a)}" over "${said(b)}"`);
  });
  return found;
})()
"""
#: How far the page is wider than its window, and how a text stands out from its paper (a ratio, as WCAG 2 has it).
WIDER = "document.documentElement.scrollWidth - window.innerWidth"
CONTRAST = """
(() => {
  const light = c => c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const rgb = s => s.match(/\\d+/g).slice(0, 3).map(Number);
  const paper = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
                       if (c !== 'rgba(0, 0, 0, 0)') return rgb(c); } return [255, 255, 255]; };
  return Math.min(...[...document.querySelectorAll('h1, h2, h3, p, li, figcaption, td, th, a')].map(e => {
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(paper(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
})()
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("report")
    files.write(folder / "results/traces", **{"baseline-boundary-no_loss": files.trace()})
    documents: dict[str, Any] = {"load-compare": server_files.load(), "campaign": server_files.campaign()}
    files.write(folder / "results", results=files.verify(), **documents)
    build(read_results(folder / "results"), folder / "report")
    return [folder / "report/report.html", next((folder / "report/timelines").iterdir())]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_a_page_is_readable_in_any_window(pages: list[Path], browser: Browser, width: int, scheme: str) -> None:
    for page in pages:
        browser.open(page, width=width, scheme=scheme)
        assert browser.ask("document.title")
        assert browser.ask(WIDER) <= 0
        assert browser.ask(CONTRAST) >= 4.5
    assert browser.complaints() == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_lies_on_something_else(pages: list[Path], browser: Browser, width: int) -> None:
    browser.open(pages[0], width=width, scheme="light")
    assert browser.ask(OVERLAPS) == []
    browser.ask("document.querySelector('.card h2').style.marginTop = '-90px'")
    assert any("over" in found for found in browser.ask(OVERLAPS))
    shown = "wide" if width > 700 else "narrow"
    browser.ask(f"document.querySelector('.{shown} g[id*=\"-text_\"]').setAttribute('transform', 'translate(-900 0)')")
    assert any("is cut" in found for found in browser.ask(OVERLAPS))
