"""The Compose files are held to the specification's schema, to deploy/Dockerfile, and to our rules.

`python -m tests.setup.compose`, in the venv of `requirements.lock` (check-jsonschema brings the
schema and a reader of YAML 1.2). No engine: containers are not started here. What a container's
shell is told is run by tests/integration/process/test_containers.py.
"""

import json
import re
import shlex
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "compose"
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
ONCE = {"migrate"}
OURS = {"migrate", "control", "gateway", "standin"}
SECRET = re.compile(r"password|secret|token|url\b", re.IGNORECASE)


def read(file: Path) -> dict[str, Any]:
    """With anchors and merges resolved."""
    loaded: dict[str, Any] = json.loads(json.dumps(YAML(typ="safe").load(file)))
    return loaded


def schema() -> dict[str, Any]:
    """Of the Compose specification."""
    folder = files("check_jsonschema") / "builtin_schemas" / "vendor"
    found: dict[str, Any] = json.loads((folder / "compose-spec.json").read_text("utf-8"))
    return found


def problems(file: Path) -> list[str]:
    """All of one file, one a line."""
    compose = read(file)
    # Of the draft that the schema names: another one knows nothing of what it forbids.
    validator = jsonschema.validators.validator_for(schema())(schema())
    found = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in validator.iter_errors(compose)
    ]
    if found:
        return found
    for name, service in compose["services"].items():
        found += [f"services/{name}: {text}" for text in of_service(name, service, file.stem)]
        found += [f"services/{name}: {text}" for text in named(service, compose)]
    for name, secret in compose["secrets"].items():
        if not secret.get("file", "").startswith("./secrets/"):
            found.append(f"secrets/{name}: is no file below ./secrets")
    for name, config in compose["configs"].items():
        if "file" in config and not (FOLDER / config["file"]).is_file():
            found.append(f"configs/{name}: there is no {config['file']}")
    return found


def of_service(name: str, service: dict[str, Any], stem: str) -> list[str]:
    """What every service has, and how ours agree with the image."""
    found = []
    if service.get("restart") != ("no" if name in ONCE else "unless-stopped"):
        found.append("restart: does not come back")
    if service.get("read_only") is not True or service.get("cap_drop") != ["ALL"]:
        found.append("is not read-only, or keeps capabilities")
    if "no-new-privileges:true" not in service.get("security_opt", []):
        found.append("may gain privileges")
    image_has_one = name == "gateway" and "HEALTHCHECK" in DOCKERFILE
    if "healthcheck" not in service and not image_has_one:
        found.append("has no health check")
    if stem == "production":
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        if {"memory", "cpus", "pids"} - set(limits) and name != "standin":
            found.append("has no bound of memory, processors or processes")
        if not re.search(r"[:}][\w?.$ -]+", service["image"]) or service["image"].endswith(
            ":latest"
        ):
            found.append("its image has no version")
    found += [
        f"environment/{key}: is a secret, and no file"
        for key, value in service.get("environment", {}).items()
        if SECRET.search(key) and not (key.endswith("_FILE") and value.startswith("/run/secrets/"))
    ]
    if name in OURS:
        found += of_image(name, service)
    return found


def of_image(name: str, service: dict[str, Any]) -> list[str]:
    """Against deploy/Dockerfile."""
    found = []
    if service["build"]["dockerfile"] != "deploy/Dockerfile":
        found.append("build: is of another file")
    elif not (FOLDER / service["build"]["context"] / "deploy" / "Dockerfile").is_file():
        found.append("build: its context is not this repository")
    if "user" in service or "entrypoint" in service:
        found.append("has a user or an entry point of its own")
    exposed = set(re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)[0].split())
    # A listener of its own, a loopback that nginx shares, and the stand-in are named in the file.
    for port in service.get("ports", []):
        inner = port.rpartition(":")[2]
        if inner not in exposed | {"2465", "80", "443", "8525"}:
            found.append(f"ports: {inner} is nothing that the image listens on")
    for volume in service.get("volumes", []):
        target = volume.partition(":")[2]
        if f"sendgate --mode 0700 {target}" not in DOCKERFILE:
            found.append(f"volumes: {target} is not the user's in the image")
    if name == "gateway" and service["command"] != ["sendgate", "gateway"]:
        found.append("command: is none of the image's")
    return found


def named(service: dict[str, Any], compose: dict[str, Any]) -> list[str]:
    """Everything that is mentioned is there, and volumes have names."""
    found = []
    for kind in ("secrets", "configs"):
        keys = [one if isinstance(one, str) else one["source"] for one in service.get(kind, [])]
        found += [f"{kind}: there is no {key}" for key in keys if key not in compose[kind]]
    volumes = [volume.partition(":")[0] for volume in service.get("volumes", [])]
    found += [f"volumes: {one} has no name" for one in volumes if one not in compose["volumes"]]
    others = service.get("depends_on", {})
    found += [f"depends_on: there is no {one}" for one in others if one not in compose["services"]]
    given = {one for one in service.get("secrets", []) if isinstance(one, str)}
    said = set(re.findall(r"/run/secrets/([\w-]+)", json.dumps(service)))
    found += [f"reads /run/secrets/{word}, and is not given it" for word in sorted(said - given)]
    return found


def main() -> int:
    """Exit code 1 with every problem."""
    said = [
        f"{file.name}: {text}" for file in sorted(FOLDER.glob("*.yaml")) for text in problems(file)
    ]
    print("\n".join(said) or "the compose files are as the specification and the image want them")
    print(shlex.join(["docker", "compose", "up"]), "was not run here: no engine")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main())
