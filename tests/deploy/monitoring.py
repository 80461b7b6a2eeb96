"""The files of deploy/monitoring: whether what they ask for is what a server tells."""

import json
import pathlib
import re
import urllib.request

import exposition
import yaml
from support import Process, free_port, require, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ROOT / "deploy" / "monitoring"
RULES = yaml.safe_load((FILES / "keywheel.rules.yml").read_text())
DASHBOARD = json.loads((FILES / "keywheel-dashboard.json").read_text())
TOLD = ROOT / "docs" / "operations.md"


def rules():
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def expressions():
    yield from (rule["expr"] for rule in rules())
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def names(text):
    return set(re.findall(r"\bkeywheel_[a-z_]+", text))


def anchors(document):
    """The places that a link into a document can lead to."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def scraped(binary, folder):
    """What the demonstration tells at an address of its own, with the families of the API's listener gone."""
    api, metrics, sandbox = (free_port() for _ in range(3))
    program = Process([binary, "dev", "--data-dir", str(folder / "data"), "--listen", f"127.0.0.1:{api}",
                       "--sandbox-listen", f"127.0.0.1:{sandbox}", "--metrics-listen", f"127.0.0.1:{metrics}"],
                      folder / "output")
    try:
        url = f"http://127.0.0.1:{metrics}/metrics"
        program.answers(f"http://127.0.0.1:{api}/readyz")

        def told():
            with urllib.request.urlopen(url, timeout=10) as answer:
                kind, text = answer.headers["content-type"], answer.read().decode()
            require(kind.startswith("application/openmetrics-text;"), f"it says what it is: {kind}")
            return exposition.read(text)

        return until("metrics", told)
    finally:
        program.stop()


def all_that_is_asked_for_is_told(binary, folder):
    families = scraped(binary, folder)
    samples = {name for family in families.values() for name, _, _ in family["samples"]}
    for expression in expressions():
        for name in names(expression):
            require(name in samples, f"{name} is told by a server: {expression}")
    document = TOLD.read_text()
    for family in families:
        require(f"`{family}" in document, f"docs/operations.md has a line for {family}")
    asked = set().union(*map(names, expressions()))
    for family in families:
        require(any(name.startswith(family) for name in asked), f"{family} is looked at by somebody")


def every_alert_says_what_to_do(_binary, _folder):
    known = anchors(TOLD)
    for rule in rules():
        text = rule["annotations"]
        require(rule["alert"].startswith("Keywheel") and rule["for"] and rule["labels"]["severity"], rule["alert"])
        require(text["summary"] and len(text["description"]) > 60, f"{rule['alert']} says what to do")
        anchor = re.search(r"docs/operations\.md#(\S+)$", text["description"].strip())
        require(anchor and anchor.group(1).rstrip(".") in known, f"{rule['alert']} leads to where it is told: {anchor}")


def every_panel_can_be_drawn(_binary, _folder):
    seen = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        require(panel["id"] not in seen and panel["title"], "panels have ids of their own, and titles")
        require(place["x"] + place["w"] <= 24, f"{panel['title']} fits")
        require(panel["datasource"]["uid"] == "${datasource}", "whoever imports it says where Prometheus is")
        seen.add(panel["id"])


STORIES = [
    ("all that rules and panels ask for is told", all_that_is_asked_for_is_told),
    ("every alert says what to do", every_alert_says_what_to_do),
    ("every panel can be drawn", every_panel_can_be_drawn),
]
