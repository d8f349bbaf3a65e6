"""Two answers as docker/streamlit asks for them, each stopped once: before anything came, and in the middle."""
import json
import os
import sys
import time
from pathlib import Path

options = json.loads(sys.argv[1])
os.environ["LASTRO_URL"] = options["url"]
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "docker" / "streamlit"))

from answers import Answer  # noqa: E402


def wait_for(done, *answers):
    deadline = time.monotonic() + options["deadline"]
    while not done():
        assert time.monotonic() < deadline, "it did not come about in time"
        for answer in answers:
            answer.look()
        time.sleep(0.02)


def stopped(question, begun):
    answer = Answer("silent", options["collection"], question, [])
    wait_for(lambda: begun(answer), answer)
    answer.stop()
    wait_for(lambda: not answer.running)
    return {"state": answer.state, "text": answer.text, "passages": len(answer.passages)}


def nothing_yet(answer):
    """Upstream has the question, which it says in a file, and says nothing."""
    return Path(options["asked"]).exists()


print(json.dumps([stopped("no head", nothing_yet), stopped("some words", lambda answer: answer.text)]))
