"""Background processes of the demo: started once, remembered across runs, and ended by no one's guess."""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / ".tools" / "run"


class Stop(Exception):
    """The demo cannot go on; the text says why and what to do."""


class Server:
    """A background process of the demo, remembered in .tools/run/NAME.json across runs."""

    def __init__(self, name):
        self.name = name
        self.log = RUN / f"{name}.log"
        self.file = RUN / f"{name}.json"
        self.state = json.loads(self.file.read_text()) if self.file.exists() else None

    def running(self):
        # A process id is used again some day: the start time tells whether it is still the same process.
        return bool(self.state) and started_at(self.state["pid"]) == self.state["started"]

    def start(self, command, url, identity, environment=None):
        RUN.mkdir(parents=True, exist_ok=True)
        with open(self.log, "w") as log:
            process = subprocess.Popen([str(part) for part in command], cwd=ROOT, env={**os.environ, **(environment or {})},
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self.state = {"pid": process.pid, "started": started_at(process.pid), "url": url, "identity": identity}
        self.file.write_text(json.dumps(self.state))
        self.process = process

    def check_alive(self):
        if getattr(self, "process", None) and self.process.poll() is not None:
            self.file.unlink(missing_ok=True)
            raise Stop(f"{self.name} ended with status {self.process.returncode}. Its log, {self.log}, ends with:\n{self.tail()}")

    def tail(self):
        return "\n".join("    " + line for line in self.log.read_text(errors="replace").splitlines()[-15:])

    def stop(self):
        if self.running():
            pid = self.state["pid"]
            os.kill(pid, signal.SIGTERM)
            if not wait_for(lambda: not self.running(), 20):
                print(f"  {self.name} (pid {pid}) did not end within 20 s; killing it")
                os.kill(pid, signal.SIGKILL)
                wait_for(lambda: not self.running(), 5)
            print(f"  stopped {self.name} (pid {pid})")
        self.file.unlink(missing_ok=True)
        self.state = None


def started_at(pid):
    """When a process was started, as `ps` says it; empty when there is no such process."""
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], stdout=subprocess.PIPE, text=True)
    words = done.stdout.split()
    # Z: ended, and only not yet waited for. With l, threads of it are still ending, and hold its files.
    ended = not words or (words[0].startswith("Z") and "l" not in words[0])
    return "" if ended else " ".join(words[1:])


def wait_for(done, seconds):
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
