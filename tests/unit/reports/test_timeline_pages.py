"""A counterexample's page stands by itself, says all, works without scripts, and takes hostile names for text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reports.timelines import page, write_page
from tests.unit.reports.histories import KEY, LATE_ADD, LOSS, MARK, READ

VOID = frozenset({"meta", "link", "input", "br"})
HOSTILE = "</script><img src=x onerror=alert(1)>'\"& \ud800"


def trace(**more: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "trace",
        "strategy": "baseline",
        "scenario": "during_processing",
        "violation": {
            "invariant": "no_loss",
            "cause": "arrived_during_processing",
            "explanation": "m2 was never handed over",
            "events": [READ, LATE_ADD, MARK],
        },
        "exceptions": ["the processor's work on m1 takes 2.970 s"],
        "versions": {"python": "3.11"},
        "history": LOSS,
        "keys": [
            {"event": 5, "key": KEY, "value": '{"messages":[{"messageId":"ID-A"}]}', "ends_ms": 16_040},
            {"event": MARK, "key": KEY, "value": None, "ends_ms": None},
        ],
        **more,
    }


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser.seen


def test_the_page_says_what_happened_how_far_from_in_order_and_how_to_replay_it() -> None:
    html = page(trace(), replay="traces/x.json")
    tags(html)
    assert "m2 was never handed over" in html
    assert "in order everywhere, except: the processor&#39;s work on m1 takes 2.970 s" in html
    assert "bufferproof replay traces/x.json" in html


def test_the_page_loads_nothing() -> None:
    for _, attributes in tags(page(trace())):
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "data:,").startswith("data:")
    assert not re.search(r"url\(|@import|fetch\(|https?://(?!www\.w3\.org/2000/svg)", page(trace()))


def test_without_scripts_it_is_a_picture_with_all_steps_and_all_changes_of_keys() -> None:
    html = re.sub(r"<script.*?</script>", "", page(trace()), flags=re.DOTALL)
    seen = tags(html)
    assert any(tag == "svg" for tag, _ in seen)
    steps = [attributes["data-at"] for tag, attributes in seen if tag == "li"]
    assert steps == [attributes["data-at"] for tag, attributes in seen if tag == "g" and "data-at" in attributes]
    assert "15.000" in html, "the TTL that was set"
    assert "<em>gone</em>" in html


def test_the_script_s_data_are_the_steps_and_the_keys() -> None:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page(trace()), flags=re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert [at for at, _ in data["rows"]][:2] == [2, 3]
    assert [(change["key"], change["ends"]) for change in data["keys"]] == [(KEY, 16_040), (KEY, None)]


def test_hostile_names_are_text_everywhere(tmp_path: Path) -> None:
    history = [
        {**event, **({"id": HOSTILE, "label": HOSTILE, "text": HOSTILE} if event["event"] == "webhook.sent" else {})}
        for event in LOSS
    ]
    keys = [{"event": 5, "key": HOSTILE, "value": HOSTILE, "ends_ms": None}]
    violation = {"invariant": HOSTILE, "cause": HOSTILE, "explanation": HOSTILE, "events": [READ]}
    write_page(
        trace(history=history, keys=keys, violation=violation, strategy=HOSTILE, exceptions=[HOSTILE]),
        tmp_path / "pages" / "x.html",
        replay=HOSTILE,
    )
    html = (tmp_path / "pages" / "x.html").read_text("utf-8")
    assert not any(tag == "img" for tag, _ in tags(html))
    assert sum(tag == "script" for tag, _ in tags(html)) == 2


def test_what_is_no_trace_is_refused() -> None:
    with pytest.raises(KeyError):
        page({"kind": "results"})
