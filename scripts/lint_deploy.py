"""What scripts/lint-deploy checks. Run it with the Python of .tools/deploy."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml

from downloads import ROOT
from image import read_stages

DOCKER = ROOT / "docker"
TOOLS = Path(sys.executable).parent
KUBERNETES = "1.37"
YAML_RULES = "{extends: default, rules: {line-length: {max: 140}, document-start: disable, comments: {min-spaces-from-content: 1, require-starting-space: false}}}"
# Seconds that Cloud Run allows a service's start-up probe, before the first try and for all tries together.
MOST_DELAY, MOST_PROBING = 240, 240
MOST_CONCURRENCY, MOST_SECONDS = 1000, 3600
# Variables of the page, and of the commands, that are no settings of the server.
OTHER_VARIABLES = {"LASTRO_URL", "LASTRO_KEY", "LASTRO_MODEL", "LASTRO_CONFIG", "LASTRO_LOG"}

problems = []


def problem(where, what):
    problems.append(f"{Path(where).relative_to(ROOT)}: {what}")


def tool(name, *arguments):
    done = subprocess.run([TOOLS / name, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        problems.append(f"{name}:\n{done.stdout.strip()}")


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def nodes(tree):
    """Every mapping in a tree."""
    if isinstance(tree, dict):
        yield tree
    for below in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from nodes(below)


# ---- what holds for all ----------------------------------------------------------------------------------------

def image_reference(where, image):
    """Pinned, and from the registry that everybody's engine asks by itself."""
    name, _, tag = image.rpartition(":") if ":" in image.rpartition("/")[2] else (image, "", "")
    first = name.split("/")[0]
    if "/" in name and ("." in first or ":" in first or first == "localhost"):
        problem(where, f"{image} names the host of a registry")
    if not tag or tag == "latest":
        problem(where, f"{image} is not pinned by a tag")


def settings():
    keys = re.findall(r"^#(\w+) = ", (ROOT / "lastro.example.toml").read_text(), re.MULTILINE)
    return {f"LASTRO_{key.upper()}" for key in keys} | OTHER_VARIABLES


def variables(where, text, known):
    for name in sorted(set(re.findall(r"\bLASTRO_[A-Z_]+\b", text)) - known):
        problem(where, f"{name} is no setting of lastro")


def probes(where, container):
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(kind)
        if probe and probe.get("timeoutSeconds", 1) > probe.get("periodSeconds", 10):
            problem(where, f"{kind}: timeoutSeconds is more than periodSeconds")
    return container.get("startupProbe") or problem(where, f"{container['name']} has no startupProbe")


# ---- each kind -------------------------------------------------------------------------------------------------

def dockerfile(path):
    tool("hadolint", path)
    stages = read_stages(path.read_text(), unnamed="final")
    for base, _ in stages.values():
        if base not in stages and base != "scratch":
            image_reference(path, base)
    if not any(instruction == "USER" for _, instructions in stages.values() for instruction, _ in instructions):
        problem(path, "no USER: it would run as root")


def compose(path):
    tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)
    [project] = documents(path)
    for name, service in project["services"].items():
        image_reference(path, service["image"] if ":" in service["image"] or "build" not in service else service["image"] + ":built")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                if not (path.parent / source).exists():
                    problem(path, f"{name} mounts {source}, which does not exist")
            elif source not in project["volumes"]:
                problem(path, f"{name} mounts {source}, which is no volume")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                problem(path, f"{name} publishes {port} to others than this machine")
    grace = int(project["services"]["lastro"]["stop_grace_period"].rstrip("s"))
    if grace <= 30:
        problem(path, f"stop_grace_period {grace} is not more than the drain timeout of 30")


def kubernetes(path):
    for manifest in documents(path):
        validate(path, manifest)
        spec = manifest.get("spec", {}).get("template", {}).get("spec")
        if not spec:
            continue
        for container in spec["containers"]:
            image_reference(path, container["image"])
            if manifest["kind"] != "Job":
                probes(path, container)
        if manifest["kind"] == "StatefulSet":
            drains(path, spec)


def validate(path, manifest):
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        problem(path, f"{manifest.get('kind')}: {error.message} at {'.'.join(map(str, error.path))}")


def drains(path, spec):
    [config] = documents(DOCKER / "k8s" / "config.yaml")
    drain = int(config["data"]["LASTRO_DRAIN_TIMEOUT"])
    pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    if spec["terminationGracePeriodSeconds"] <= drain + pause:
        problem(path, f"terminationGracePeriodSeconds must be more than {pause} (preStop) + {drain} (LASTRO_DRAIN_TIMEOUT)")


def kustomization(path):
    [document] = documents(path)
    for name in document["resources"]:
        if not (path.parent / name).exists():
            problem(path, f"{name} does not exist")
    used = {node["image"].rpartition(":")[0] for name in document["resources"]
            for tree in documents(path.parent / name) for node in nodes(tree) if isinstance(node.get("image"), str)}
    for image in document["images"]:
        if image["name"] not in used:
            problem(path, f"no manifest has the image {image['name']}")


def cloud_run(path):
    """A Knative service: no schema of it is to be had as a package, so its container is checked as a pod's."""
    [service] = documents(path)
    if (service["apiVersion"], service["kind"]) != ("serving.knative.dev/v1", "Service"):
        problem(path, "is no service of serving.knative.dev/v1")
    template = service["spec"]["template"]
    for where in (service, template):
        for name, value in where["metadata"].get("annotations", {}).items():
            if not isinstance(value, str):
                problem(path, f"{name} must be a string")
    scale = {name: int(template["metadata"]["annotations"][f"autoscaling.knative.dev/{name}"]) for name in ("minScale", "maxScale")}
    if not 0 <= scale["minScale"] <= scale["maxScale"] > 0:
        problem(path, f"{scale} is no range")
    spec = dict(template["spec"])
    if not 1 <= spec.pop("containerConcurrency") <= MOST_CONCURRENCY or not 1 <= spec.pop("timeoutSeconds") <= MOST_SECONDS:
        problem(path, f"containerConcurrency is 1 to {MOST_CONCURRENCY}, timeoutSeconds 1 to {MOST_SECONDS}")
    validate(path, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "checked"}, "spec": spec})
    for container in spec["containers"]:
        image_reference(path, container["image"])
        probe = probes(path, container)
        if probe and (probe.get("initialDelaySeconds", 0) > MOST_DELAY
                      or probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10) > MOST_PROBING):
            problem(path, f"startupProbe: at most {MOST_DELAY} s before it and {MOST_PROBING} s of tries")
        if not any(volume.get("csi", {}).get("readOnly", True) for volume in spec.get("volumes", [{}])):
            problem(path, "a bucket is mounted for writing")


def unit(path):
    verify = shutil.which("systemd-analyze")
    if not verify:
        print("  systemd-analyze is not here: lastro.service was not checked")
        return
    # The program is not installed where it is checked.
    text = path.read_text().replace("/usr/local/bin/lastro ", f"{sys.executable} ")
    copy = ROOT / ".tools" / path.name
    copy.write_text(text)
    done = subprocess.run([verify, "verify", copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    copy.unlink()
    if done.returncode != 0 or path.stem in done.stdout:
        problem(path, done.stdout.strip())


def shell_scripts():
    scripts = [path for folder in ("scripts", "docker", ".ci") for path in sorted((ROOT / folder).iterdir())
               if path.is_file() and re.match(rb"#!.*\b(ba)?sh\n", path.read_bytes()[:64])]
    tool("shellcheck", *scripts)


def main():
    known = settings()
    dockerfiles = sorted(path for path in DOCKER.rglob("Dockerfile*") if path.is_file())
    manifests = sorted((DOCKER / "k8s").glob("*.yaml"))
    services = sorted((DOCKER / "cloudrun").glob("*.yaml"))
    for path in dockerfiles:
        dockerfile(path)
    tool("yamllint", "--strict", "-d", YAML_RULES, DOCKER)
    compose(DOCKER / "compose.yaml")
    for path in manifests:
        kustomization(path) if path.stem == "kustomization" else kubernetes(path)
    for path in services:
        cloud_run(path)
    unit(DOCKER / "lastro.service")
    shell_scripts()
    checked = [*dockerfiles, DOCKER / "compose.yaml", DOCKER / "lastro.service", *manifests, *services]
    for path in checked:
        variables(path, path.read_text(), known)
    for line in problems:
        print(line, file=sys.stderr)
    print(f"{len(checked)} files that deploy lastro: {len(problems)} problems")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
