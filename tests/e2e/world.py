"""The processes that the end-to-end tests talk to, and the few calls that most tests make."""
import json
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path

import openai
import requests

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
BINARY = ROOT / "target" / "release" / "lastro"
MODEL = TOOLS / "models" / "all-MiniLM-L6-v2"
# What a busy machine may need; a test that passes never waits this long.
DEADLINE = 120


class Process:
    """A server of ours: started, read until it says where it listens, and ended with the test."""

    def __init__(self, command, log, cwd=None, prefix="listening on "):
        self.log = log
        with open(log, "ab") as errors:
            self.process = subprocess.Popen([str(part) for part in command], cwd=cwd, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=errors, text=True)
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                line = lines.get(timeout=max(0.1, deadline - time.monotonic()))
            except queue.Empty:
                self.end()
                raise AssertionError(f"{command[0]} did not say where it listens:\n{self.tail()}") from None
            if line is None:
                raise AssertionError(f"{command[0]} ended with {self.process.wait()}:\n{self.tail()}")
            if prefix in line:
                self.url = line.split(prefix, 1)[1].strip().rstrip("/")
                return

    def _read(self, lines):
        for line in self.process.stdout:
            lines.put(line)
        lines.put(None)

    def tail(self):
        return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-30:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE)

    def end(self):
        """Ends it in order; returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("it did not end within 30 s of SIGTERM:\n" + self.tail()) from None
        return self.process.returncode


class Lastro(Process):
    """`lastro serve` on a free port, with a data folder of its own."""

    def __init__(self, data, upstream, model=MODEL, arguments=()):
        self.data = Path(data)
        self.data.mkdir(parents=True, exist_ok=True)
        command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--data", self.data, "--upstream", upstream, *arguments]
        if model:
            command += ["--embedding-model", model]
        super().__init__(command, self.data.parent / f"{self.data.name}.log", cwd=self.data.parent)
        self.session = requests.Session()

    def call(self, method, path, status=200, **options):
        response = self.session.request(method, self.url + path, timeout=DEADLINE, **options)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response

    def upload(self, collection, *files, wait=60):
        """Uploads (name, bytes) pairs, creating the collection; returns the documents."""
        parts = [("file", (name, data)) for name, data in files]
        return self.call("POST", f"/v1/vector_stores/{collection}/documents?wait={wait}&create=true", files=parts).json()["data"]

    def wait_until_ready(self):
        deadline = time.monotonic() + DEADLINE
        while True:
            assert self.process.poll() is None and time.monotonic() < deadline, "not ready: " + self.tail()
            try:
                if requests.get(self.url + "/ready", timeout=DEADLINE).status_code == 200:
                    return
            except requests.ConnectionError:
                pass  # said by the assertion when the process is gone
            time.sleep(0.1)

    def ask(self, model, question, **headers):
        """One chat without streaming; the whole HTTP response."""
        body = {"model": model, "temperature": 0, "max_tokens": 60, "messages": [{"role": "user", "content": question}]}
        return self.session.post(self.url + "/v1/chat/completions", json=body, timeout=DEADLINE,
                                 headers={name.replace("_", "-"): value for name, value in headers.items()})


def run(*arguments, cwd, timeout=DEADLINE):
    """A lastro command, to its end."""
    environment = {**os.environ, "NO_COLOR": "1"}
    return subprocess.run([str(BINARY), *(str(part) for part in arguments)], cwd=cwd, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)


def sdk(lastro, key="none"):
    """The official SDK, as it is, pointed at lastro. What fails is not tried again: a test must see it."""
    return openai.OpenAI(base_url=lastro.url + "/v1", api_key=key, max_retries=0, timeout=DEADLINE)


def wait_for(done):
    deadline = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


def script(command, options, timeout=DEADLINE):
    """Runs a client of another language or environment: options in as JSON, and what it says out as JSON."""
    environment = {**os.environ, "NO_COLOR": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run([*(str(part) for part in command), json.dumps(options)], text=True, env=environment, timeout=timeout,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, f"{command[-1]} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def node(name, **options):
    """Runs a file of tests/e2e/node, with the packages of .tools/node."""
    folder = Path(__file__).parent / "node"
    return script([TOOLS / "node" / "bin" / "node", "--import", folder / "packages.mjs", folder / name], options)
