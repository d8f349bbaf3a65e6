"""What of OpenAI's specification lastro serves, as a table; see scripts/openai-coverage."""
import argparse
import hashlib
import json
import sys
import urllib.request
from pathlib import Path

import yaml

import check
from leaves import Description, takes

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "src" / "api" / "openapi.json"
TABLE = ROOT / "tests" / "openai-coverage.md"
EXCEPTIONS = Path(__file__).with_name("exceptions.json")
# The paths that are served whole. Of chats and responses, which are relayed, the parts are ours that PARTS lists.
WHOLE = ("/v1/files", "/v1/vector_stores", "/v1/embeddings")
WHOLE_BODY = "(the body)"
# Their schema, ours, and what of a request or answer it is.
PARTS = (
    ("FileSearchTool", "FileSearchTool", "request", "a tool of /v1/responses, and of /v1/chat/completions too"),
    ("FileSearchToolCall", "FileSearchCall", "response", "an output item of /v1/responses"),
    ("FileCitationBody", "FileCitation", "response", "an annotation of /v1/responses"),
    ("ResponseFileSearchCallInProgressEvent", "FileSearchInProgressEvent", "response", "an event of /v1/responses"),
    ("ResponseFileSearchCallSearchingEvent", "FileSearchSearchingEvent", "response", "an event of /v1/responses"),
    ("ResponseFileSearchCallCompletedEvent", "FileSearchCompletedEvent", "response", "an event of /v1/responses"),
)


def load(place):
    """A specification by path or address, with the digest of its bytes."""
    if "://" in place:
        with urllib.request.urlopen(place, timeout=60) as answer:
            data = answer.read()
    else:
        data = Path(place).read_bytes()
    try:
        document = json.loads(data)
    except ValueError:
        document = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return document, hashlib.sha256(data).hexdigest()


class Table:
    """Rows by section, and what is wrong with them."""

    def __init__(self, exceptions):
        self.exceptions, self.used, self.sections, self.problems = exceptions, set(), {}, []

    def excepted(self, section, place, field, value=None):
        for key in (f"{section} {place} {field}={value}", f"* {place} {field}={value}") if value else (
                f"{section} {place} {field}", f"* {place} {field}"):
            if key in self.exceptions:
                self.used.add(key)
                return self.exceptions[key]
        return None

    def row(self, section, place, field, what, reason=None):
        self.sections.setdefault(section, []).append((place, field, what, reason))

    def problem(self, section, place, field, text):
        self.problems.append(f"{section} {place} {field}: {text}")

    def exception_for_value(self, section, place, field, value, problem="is not served"):
        reason = self.excepted(section, place, field, value)
        if reason is None:
            self.problem(section, place, f"{field}={value}", f"{problem}, and no exception says why")
        self.row(section, place, f"{field}={value}", value, reason or "missing")

    def compare(self, section, place, theirs, ours):
        """Each leaf of theirs: in ours, or excepted by name."""
        for field, leaf in sorted(theirs.items()):
            what = ", ".join(sorted(leaf.values)) or " or ".join(sorted(leaf.types))
            reason = self.excepted(section, place, field)
            mine = ours.get(field)
            if reason is not None or mine is None:
                if reason is None:
                    self.problem(section, place, field, "is not served, and no exception says why")
                self.row(section, place, field, what, reason or "missing")
                continue
            if place != "response" and mine.values and not leaf.values:
                self.exception_for_value(section, place, field, "any other value")
            missing = sorted(value for value in leaf.values - mine.values if mine.values and place != "response")
            unsent = sorted(value for value in leaf.values - mine.values if mine.values and place == "response")
            self.row(section, place, field, ", ".join(sorted(leaf.values - set(missing) - set(unsent))) or what)
            for value in missing + unsent:
                self.exception_for_value(section, place, field, value)
            asked, given = (mine.types, leaf.types) if place != "response" else (leaf.types, mine.types)
            if "recursive" not in asked | given and not takes(asked, given):
                self.problem(section, place, field, f"types differ: {sorted(leaf.types)} there, {sorted(mine.types)} here")
            if place == "response":
                for value in sorted(mine.values - leaf.values) if leaf.values else ():
                    self.exception_for_value(section, place, field, value, "is a value of our own")
                if leaf.required and not mine.required:
                    self.problem(section, place, field, "is required there and not here")
            elif mine.required and not leaf.required:
                self.problem(section, place, field, "is required here and not there")


def compared(theirs, ours, exceptions, behaviour):
    table, served = Table(exceptions), ours.operations()
    for (method, path), operation in sorted(theirs.operations().items(), key=lambda entry: entry[0][::-1]):
        if not path.startswith(WHOLE):
            continue
        section = f"{method.upper()} {operation['path']}"
        mine = served.get((method, path))
        if mine is None:
            table.problem(section, "", "", "is not served")
            continue
        for number, parameter in enumerate(theirs.parameters(operation, "path")):
            table.row(section, "path", parameter["name"], f"{{{number + 1}}}")
        table.compare(section, "query", theirs.query(operation), ours.query(mine))
        table.compare(section, "body", theirs.request(operation), ours.request(mine))
        table.compare(section, "response", theirs.response(operation), ours.response(mine))
    for their_name, our_name, place, what in PARTS:
        section = f"{their_name}, {what}"
        reference = "#/components/schemas/"
        place = "body" if place == "request" else place
        table.compare(section, place, theirs.leaves({"$ref": reference + their_name}, "", True),
                      ours.leaves({"$ref": reference + our_name}, "", True))
    for section, place, field, reason in behaviour:
        if section not in table.sections:
            table.problem(section, place, field, "exception for nothing")
        table.row(section, place, field, "", reason)
    for key in sorted(set(exceptions) - table.used):
        table.problems.append(f"exception for nothing: {key}")
    return table


def markdown(table, version, digest, unseen):
    rows = [row for section in table.sections.values() for row in section]
    excepted = sum(reason is not None for *_, reason in rows)
    lines = [
        "# OpenAI's specification, and what of it is served", "",
        f"Made by `scripts/openai-coverage` from version {version} of OpenAI's specification (sha256 {digest[:16]}...) and "
        "`src/api/openapi.json`; do not edit.", "",
        f"{len(table.sections)} operations and parts, {len(rows)} parameters and fields: {len(rows) - excepted} served, {excepted} excepted, "
        f"{len(table.problems)} open. Exceptions are named below with their reasons. Everything else under `/v1`, and every other field of "
        "`/v1/chat/completions` and `/v1/responses`, is the LLM server's: relayed as it is.", "",
        "| | operation or part | served | excepted |", "|---|---|---|---|"]
    for number, (section, entries) in enumerate(table.sections.items(), 1):
        out = sum(reason is not None for *_, reason in entries)
        lines.append(f"| {number} | {section} | {len(entries) - out} | {out or ''} |")
    lines += ["", "## Exceptions", "", "| where | what | why |", "|---|---|---|"]
    reasons = {}
    for section, entries in table.sections.items():
        for place, field, _, reason in entries:
            if reason is not None:
                reasons.setdefault((place, field, reason), []).append(section)
    for (place, field, reason), sections in reasons.items():
        lines.append(f"| {'; '.join(sections)}, {place} | `{field or WHOLE_BODY}` | {reason} |")
    lines += ["", "## Not seen", "", "`--check` looks for every field of an answer that is served in the answers of a running server, save for these.", "",
              "| where | field | why |", "|---|---|---|"]
    lines += [f"| {section}, {place} | `{field}` | {reason} |" for section, place, field, reason in unseen]
    for section, entries in table.sections.items():
        lines += ["", f"## {section}", "", "| where | field | type or values | |", "|---|---|---|---|"]
        for place, field, what, reason in entries:
            lines.append(f"| {place} | `{field or WHOLE_BODY}` | {what} | {'served' if reason is None else 'excepted'} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("specification", help="path or address of OpenAI's openapi.yaml, or of a JSON of it")
    parser.add_argument("--check", metavar="URL", help="call this lastro, as in http://127.0.0.1:8080, with every parameter, and look for every field in its answers")
    options = parser.parse_args()
    document, digest = load(options.specification)
    theirs, ours = Description(document, "/v1"), Description(json.loads(OURS.read_text()))
    exceptions = json.loads(EXCEPTIONS.read_text())
    table = compared(theirs, ours, exceptions["fields"], exceptions["behaviour"])
    TABLE.write_text(markdown(table, document["info"]["version"], digest, exceptions["unseen"]))
    rows = sum(map(len, table.sections.values()))
    print(f"{TABLE.relative_to(ROOT)}: {len(table.sections)} operations and parts, {rows} parameters and fields")
    problems = table.problems
    if options.check:
        wanted = {(section, place, field) for section, entries in table.sections.items() for place, field, _, reason in entries if reason is None}
        unseen = exceptions["unseen"]
        problems = problems + [f"exception for nothing: {entry}" for entry in unseen if tuple(entry[:3]) not in wanted]
        wanted -= {tuple(entry[:3]) for entry in unseen}
        sections = {theirs: f"{theirs}, {what}" for theirs, _, _, what in PARTS}
        problems = problems + check.run(options.check.rstrip("/"), document, wanted, sections)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
