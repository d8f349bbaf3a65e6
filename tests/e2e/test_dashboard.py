"""The dashboard and the alerts ask for metrics that a running lastro has, and leave none out."""
import json
import re

import pytest
import yaml

from manual import QUESTION
from upstream import MODEL
from world import ROOT, sdk

DASHBOARD = json.loads((ROOT / "docker/grafana/dashboards/lastro.json").read_text())
ALERTS = yaml.safe_load((ROOT / "docker/prometheus/alerts.yaml").read_text())
ALERTS_TEST = yaml.safe_load((ROOT / "docker/prometheus/alerts_test.yaml").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# Metrics that the dashboard need not show, and why.
NOT_SHOWN = {}
# What Prometheus itself adds to every series, and its own two series.
SCRAPED = {"job", "instance"}
OF_PROMETHEUS = {"up": SCRAPED, "ALERTS": SCRAPED | {"alertname", "alertstate"}}


def queries(value):
    """Every expression below a part of the dashboard, with the legend that goes with it."""
    if isinstance(value, dict):
        if "expr" in value:
            yield value["expr"], value.get("legendFormat", "")
        for part in value.values():
            yield from queries(part)
    elif isinstance(value, list):
        for part in value:
            yield from queries(part)


def rules():
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def selectors(expression):
    """The metrics in an expression: (name, [(label, operator, value)])."""
    for name, matchers in re.findall(r"\b(lastro_\w+|process_\w+|up|ALERTS)\b\s*(?:\{([^}]*)\})?", expression):
        yield name, re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', matchers)


def family(name):
    """A histogram's name without the ending of its series."""
    return re.sub(r"(?<=[a-z])_(bucket|sum|count)$", "", name)


class Exposed(dict):
    """What is exposed: the values of each label, by a series' name."""

    def __init__(self, text):
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? \S+$", line).groups()
            values = self.setdefault(name, {})
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels or ""):
                values.setdefault(label, set()).add(value)
        self.families = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))

    def labels(self, name):
        return OF_PROMETHEUS[name] if name in OF_PROMETHEUS else set(self[name]) | SCRAPED


@pytest.fixture(scope="module")
def exposed(grounded):
    """The metrics of a server that was used a bit."""
    client = sdk(grounded)
    for model in (MODEL, f"{MODEL}@pump"):
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": QUESTION}])
    grounded.call("GET", "/v1/vector_stores/unknown", status=404)
    grounded.call("GET", "/metrics")  # counted when it has been answered
    return Exposed(grounded.call("GET", "/metrics").text)


def check(expression, legend, exposed):
    found = list(selectors(expression))
    assert found, f"no metric in {expression}"
    for name, matchers in found:
        assert name in OF_PROMETHEUS or name in exposed, f"lastro has no {name}: {expression}"
        for label, operator, value in matchers:
            assert label in exposed.labels(name), f"{name} has no label {label}: {expression}"
            # Words must be values that there are; patterns for codes and the dashboard's own variables are taken as they are.
            if name not in OF_PROMETHEUS and label not in SCRAPED and re.fullmatch(r"[a-z_|]+", value):
                missing = set(value.split("|")) - exposed[name][label]
                assert not missing, f"{name} has no {label} {missing}: {expression}"
    there = set.union(*(exposed.labels(name) for name, _ in found))
    grouped = [{label.strip() for label in labels.split(",")} for labels in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)]
    for labels in grouped:
        assert labels <= there, f"no metric has {labels - there}: {expression}"
    kept = set.union(*grouped) if grouped else there
    shown = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", legend))
    assert shown <= kept, f"the legend {legend} names what is not kept: {expression}"


def test_the_dashboard_asks_for_what_is_there(exposed):
    assert all(panel["targets"] for panel in PANELS)
    for expression, legend in queries(DASHBOARD):
        check(expression, legend, exposed)
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variables["instance"]["query"]["query"]).groups()
    assert name in exposed and label in SCRAPED


def test_the_alerts_ask_for_what_is_there(exposed):
    for rule in rules():
        check(rule["expr"], "", exposed)


def test_everything_that_is_counted_is_shown(exposed):
    used = {family(name) for expression, _ in queries(DASHBOARD) for name, _ in selectors(expression)}
    assert exposed.families - used == set(NOT_SHOWN)


def test_alerts_are_tested_and_those_that_are_named_exist():
    alerts = {rule["alert"] for rule in rules()}
    tested = {test["alertname"] for group in ALERTS_TEST["tests"] for test in group["alert_rule_test"] if test.get("exp_alerts")}
    assert tested == alerts
    assert set(re.findall(r"\bLastro[A-Z]\w+", json.dumps(PANELS))) <= alerts


def test_every_panel_says_what_to_do_and_has_a_place_of_its_own():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or len(panel["description"]) > 20, panel["title"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
