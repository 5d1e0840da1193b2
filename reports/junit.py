"""Verdicts as a JUnit file: a test case for each strategy, scenario and invariant, so that any CI shows them."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from reports.results import Results


def junit(results: Results) -> str:
    """The XML text. A violation is a failure, unless the row says that it is `expected`; what did not apply is skipped."""
    root = ET.Element("testsuites", name="bufferproof")
    suites: dict[str, ET.Element] = {}
    for file in results.of("verify"):
        for row in file.document["rows"]:
            name = row["strategy"]
            if name not in suites:
                suites[name] = ET.SubElement(root, "testsuite", name=name)
            _case(suites[name], row, results.folder)
    for element in (*suites.values(), root):
        cases = list(element.iter("testcase"))
        element.set("tests", str(len(cases)))
        element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
        element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
        element.set("errors", "0")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, row: Mapping[str, Any], folder: Path) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=_plain(f"{row['strategy']}.{row['scenario']}"), name=row["invariant"]
    )
    of = f"{row['violations']} of {row['applicable_runs']} runs"
    if not row["applicable_runs"]:
        ET.SubElement(case, "skipped", message="applied to no run")
    elif row["verdict"] == "unknown":
        ET.SubElement(case, "skipped", message="undecided")
    elif row["verdict"] == "violated" and row.get("expected"):
        ET.SubElement(case, "system-out").text = f"violated in {of}, as written down"
    elif row["verdict"] == "violated":
        failure = ET.SubElement(case, "failure", message=f"violated in {of}", type="violated")
        if row.get("trace"):
            failure.text = _plain(f"bufferproof replay {shlex.quote(str(folder / row['trace']))}")


def _plain(text: str) -> str:
    """Text without what XML 1.0 has no form for."""
    return "".join(c if c >= " " and not "\ud800" <= c <= "\udfff" else "?" for c in text)
