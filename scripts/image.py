"""docker/Dockerfile's final stage, and its root file system run as a container would run it, without an engine."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

from downloads import ROOT

DOCKERFILE = ROOT / "docker" / "Dockerfile"
# What an engine makes in every root.
MOUNT_POINTS = ("proc", "dev", "tmp", "data")
ENGINE_FILES = ("etc/resolv.conf", "etc/hosts")
DEVICES = ("null", "zero", "random", "urandom")
# The outer variables go before the root is changed: the image has no program that could do it.
PREPARE = """set -eu
mount --bind {root} {root}
mount --bind {data} {root}/data
mount -t tmpfs -o mode=0755 tmpfs {root}/dev
for device in {devices}; do touch {root}/dev/$device; mount --bind /dev/$device {root}/dev/$device; done
{binds}
mount -o remount,bind,{mode} {root}
mount -t proc proc {root}/proc
exec env -i {settings} {setpriv} --no-new-privs {chroot} --userspec={user} {root} "$@"
"""


class Image:
    """What the stages of the Dockerfile up to one say about how the image runs."""

    def __init__(self, stage):
        stages = read_stages(DOCKERFILE.read_text())
        self.env, self.user, self.entrypoint, self.command, self.healthcheck = {}, None, [], [], None
        chain = []
        while stage in stages:
            chain.append(stage)
            stage = stages[stage][0]
        for name in reversed(chain):
            for instruction, rest in stages[name][1]:
                self.apply(instruction, rest)

    def apply(self, instruction, rest):
        if instruction == "ENV":
            self.env.update(word.split("=", 1) for word in shlex.split(rest))
        elif instruction == "USER":
            self.user = rest
        elif instruction == "ENTRYPOINT":
            self.entrypoint = json.loads(rest)
        elif instruction == "CMD":
            self.command = json.loads(rest)
        elif instruction == "HEALTHCHECK":
            self.healthcheck = json.loads(rest[rest.index("["):])


def read_stages(text, unnamed=None):
    """Name of a stage: its base, and its instructions with what stands after them. A stage may be without a name if it gets one here."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    stages, current = {}, None
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, rest = line.split(None, 1)
        if instruction == "FROM":
            base, *name = rest.split()
            name = name[1] if name else unnamed
            current = stages[name] = (base, [])
        elif current:
            current[1].append((instruction, re.sub(r"\s+", " ", rest)))
    return stages


def assemble(program, pdfium, out):
    """The root of the stage `runtime`, by the script that the Dockerfile runs."""
    subprocess.run([str(ROOT / "docker" / "assemble.sh"), str(program), str(pdfium), str(out)], check=True)


def size_of(folder):
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


RUNNING = []


def end_all():
    """Whatever is left of what was started, as after a check that failed."""
    for process in RUNNING:
        if process.poll() is None:
            process.kill()
            process.wait()


class Containers:
    """Runs commands in a root, read-only unless told otherwise, as the image's user, as process 1 of its own."""

    def __init__(self, image, root, data, log, read_only=True):
        self.image, self.root, self.data, self.log, self.mode = image, root, data, log, "ro" if read_only else "rw"
        for folder in MOUNT_POINTS:
            (root / folder).mkdir(exist_ok=True)
        for name in ENGINE_FILES:
            (root / name).touch()
        user, group = map(int, image.user.split(":"))
        os.chown(data, user, group)

    def start(self, command, env=None, binds=None):
        """`binds`: a path within the root, and the file that stands there instead."""
        quote = shlex.quote
        settings = {**self.image.env, **(env or {})}
        script = PREPARE.format(
            root=quote(str(self.root)), data=quote(str(self.data)), devices=" ".join(DEVICES), mode=self.mode, user=self.image.user,
            binds="\n".join(f"mount --bind {quote(str(source))} {quote(str(self.root / target))}"
                            for target, source in (binds or {}).items()),
            settings=" ".join(quote(f"{name}={value}") for name, value in settings.items()),
            setpriv=shutil.which("setpriv"), chroot=shutil.which("chroot"))
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", *command]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        RUNNING.append(process)
        return process

    def run(self, command, env=None, timeout=60):
        """Exit status and standard output."""
        process = self.start(command, env)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, output


def stop(process, timeout=60):
    """Sends SIGTERM to process 1 of a container, and waits. The status that it ended with."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    return process.wait(timeout=timeout)

