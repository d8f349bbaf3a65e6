import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import documents  # noqa: E402
import world  # noqa: E402
from tap import Tap  # noqa: E402
from vllm_server import Vllm  # noqa: E402
from wire import Pair  # noqa: E402


@pytest.fixture(scope="session")
def vllm(tmp_path_factory):
    server = Vllm(tmp_path_factory.mktemp("vllm") / "vllm.log")
    yield server
    server.end()


@pytest.fixture(scope="session")
def lastro(vllm, tmp_path_factory):
    """lastro before vLLM."""
    yield from serve(tmp_path_factory.mktemp("lastro") / "data", vllm.address)


@pytest.fixture(scope="session")
def pair(vllm, tmp_path_factory):
    """The same request to vLLM and to a lastro whose connections to vLLM are listened to."""
    tap = Tap(vllm.address)
    for server in serve(tmp_path_factory.mktemp("recorded") / "data", tap.address):
        yield Pair(vllm.address, server.url, tap)
    tap.close()


def serve(data, upstream):
    """It searches by words alone: what vLLM is asked does not depend on how passages were found."""
    server = world.Lastro(data, upstream + "/v1", model=None)
    server.wait_until_ready()
    for collection, files in documents.COLLECTIONS.items():
        for document in server.upload(collection, *files):
            assert document["status"] == "completed", document
    yield server
    assert server.end() == 0, server.tail()


@pytest.fixture(autouse=True)
def idle(vllm):
    """Every test leaves vLLM without work: an answer could otherwise depend on what it was computed beside."""
    yield
    vllm.wait_until("a test left work behind", lambda: vllm.running() + vllm.waiting() == 0)
