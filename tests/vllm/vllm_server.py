"""Real vLLM on the CPU, serving a small model, and what its own metrics say."""
import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import requests

from world import DEADLINE, TOOLS

FOLDER = TOOLS / "vllm"
MODEL = "smollm2"
WINDOW = 2048
# Requests that it works on at a time; others wait.
PLACES = 8
# Loading takes a minute or more where other work goes on.
START_DEADLINE = 900


class Vllm:
    """`vllm serve` on a free port, ended with the tests, and by the system should they be killed."""

    def __init__(self, log):
        self.log = log
        self.address = f"http://127.0.0.1:{free_port()}"
        # One thread: it shares the machine with lastro and the clients. Without prefix caching, since a prompt whose
        # beginning is cached is computed in other steps, and the same question may then get another answer.
        command = [FOLDER / "venv" / "bin" / "python", "-m", "vllm.entrypoints.cli.main", "serve", FOLDER / "smollm2",
                   "--host", "127.0.0.1", "--port", self.address.rsplit(":", 1)[1], "--served-model-name", MODEL,
                   "--max-model-len", WINDOW, "--max-num-seqs", PLACES, "--enforce-eager", "--dtype", "bfloat16",
                   "--no-enable-prefix-caching", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
        settings = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
                    "OMP_NUM_THREADS": "1", "VLLM_NO_USAGE_STATS": "1"}
        with open(log, "ab") as output:
            self.process = subprocess.Popen([str(part) for part in command], env={**os.environ, **settings}, cwd=Path(log).parent,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                            preexec_fn=end_with_parent)
        deadline = time.monotonic() + START_DEADLINE
        while not self.is_up():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                raise AssertionError(f"vLLM did not start (status {self.process.returncode}):\n{self.tail()}")
            time.sleep(0.5)

    def is_up(self):
        try:
            return requests.get(self.address + "/health", timeout=DEADLINE).status_code == 200
        except requests.ConnectionError:
            return False

    def tail(self):
        return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-40:])

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(DEADLINE)

    def metric(self, name):
        """A metric of vLLM, summed over its labels."""
        text = requests.get(self.address + "/metrics", timeout=DEADLINE).text
        values = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        assert values, f"vLLM has no metric {name}"
        return sum(float(value) for value in values)

    def running(self):
        return self.metric("vllm:num_requests_running")

    def waiting(self):
        return self.metric("vllm:num_requests_waiting")

    def wait_until(self, what, done):
        deadline = time.monotonic() + DEADLINE
        while not done():
            assert time.monotonic() < deadline, f"{what}: running {self.running()}, waiting {self.waiting()}"
            time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end_with_parent():
    # prctl(PR_SET_PDEATHSIG): Linux, which is all that this vLLM is built for.
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)
