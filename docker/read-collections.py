#!/usr/bin/env python3
"""Read a folder of collections into a data folder, and end when everything is read: what an image can start from.

usage: docker/read-collections.py PROGRAM COLLECTIONS DATA [options of `lastro serve` ...]

Fails when a document cannot be read, so that an image never lacks what its folder holds.
"""
import hashlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

START = 60
# An embedding model reads some 20 passages in a second on one core.
PATIENCE = float(os.environ.get("READ_TIMEOUT", 3600))
POLL = 0.5


def documents(folder):
    """As many as a sync makes: hidden files and the settings are none, equal files are one."""
    found = set()
    for path in folder.rglob("*"):
        within = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in within.parts)
        if path.is_file() and not path.is_symlink() and not hidden and within.as_posix() != "collection.toml":
            found.add(hashlib.sha256(path.read_bytes()).digest())
    return len(found)


def get(url):
    """The answer's JSON, or None while nobody answers or it is not ready."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError):
        return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Failed(Exception):
    """Something that whoever builds the image has to mend."""


def wait(server, what, patience, reached):
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if server.poll() is not None:
            raise Failed(f"lastro ended with status {server.returncode}: see its log above")
        found = reached()
        if found is not None:
            return found
        time.sleep(POLL)
    raise Failed(f"{what} took more than {patience:.0f} s (READ_TIMEOUT sets the seconds)")


def read(server, base, wanted):
    """Waits until every collection holds its documents and none is being read."""
    embedding = wait(server, "loading the embedding model", PATIENCE, lambda: get(f"{base}/ready"))["embedding"]
    if embedding["status"] == "failed":
        raise Failed(f"the embedding model cannot be used: {embedding['message']}")

    def all_read():
        stores = get(f"{base}/v1/vector_stores?limit=100")
        counts = {store["name"]: store["file_counts"] for store in stores["data"]} if stores else {}
        for name, number in wanted.items():
            count = counts.get(name)
            if count is None or count["total"] < number or count["in_progress"]:
                return None
        return counts

    return wait(server, "reading the documents", PATIENCE, all_read)


def main(arguments):
    if len(arguments) < 3:
        sys.exit(__doc__)
    program, collections, data = arguments[0], Path(arguments[1]), arguments[2]
    wanted = {folder.name: documents(folder) for folder in sorted(collections.iterdir())
              if folder.is_dir() and not folder.name.startswith(".")}
    if not wanted or len(wanted) > 100:
        sys.exit(f"{collections} must hold 1 to 100 folders, a collection each; it holds {len(wanted)}")
    address = f"127.0.0.1:{free_port()}"
    server = subprocess.Popen([program, "serve", "--listen", address, "--data", data, "--collections", collections, *arguments[3:]])
    try:
        counts = read(server, f"http://{address}", wanted)
        failed = {name: count["failed"] for name, count in counts.items() if count["failed"]}
        for name in failed:
            for document in get(f"http://{address}/v1/vector_stores/{name}/documents")["data"]:
                if document["status"] == "failed":
                    print(f"failed: {name}/{document['filename']}: {document['last_error']['message']}", file=sys.stderr)
        if failed:
            raise Failed("not every document could be read")
    except Failed as error:
        sys.exit(f"{error}")
    finally:
        server.terminate()
        status = server.wait(timeout=START)
    if status != 0:
        sys.exit(f"lastro ended with status {status}")
    # One file in place of one and its log: what is opened for writing is copied from an image's layer.
    database = sqlite3.connect(Path(data) / "lastro.sqlite3")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    for name, count in sorted(counts.items()):
        print(f"{name}: {count['completed']} documents")


if __name__ == "__main__":
    main(sys.argv[1:])
