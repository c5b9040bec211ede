"""Executes deploy/Dockerfile without Docker: each stage in a Debian root of its own.

`python -m tests.setup.image FOLDER` as root, with debootstrap. Understands what that file uses
(FROM, WORKDIR, ENV, COPY, RUN, USER); another instruction that would change the image is an error.
What .dockerignore keeps out of the build cannot be copied. At the end the product must start.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
NOT_BUILT = {"EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}
DEBIAN, MIRROR = "trixie", "http://deb.debian.org/debian"
"""Debian 13, whose Python is the 3.13 of the image."""
PACKAGES = "ca-certificates,python3,python3-venv,python3-dev"
STARTS = (
    ["sendgate", "--help"],
    ["python", "-c", "import gateway.session._lineends, gateway.entry"],
)


class Stage:
    """One FROM: a root, and what the instructions so far set."""

    def __init__(self, base: Path, root: Path) -> None:
        subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
        self.root = root
        self.folder = "/"
        self.user = "root"
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}

    def inside(self, path: str) -> Path:
        """Where a path of this stage lies on this machine."""
        return self.root / os.path.normpath(Path(self.folder) / path).lstrip("/")

    def run(self, *command: str) -> None:
        """Run a command as the stage's user; raises CalledProcessError."""
        told = {name: os.environ[name] for name in ("PIP_INDEX_URL",) if name in os.environ}
        subprocess.run(
            # A /proc of its own that ends with the command: mypyc counts processors there.
            ["unshare", "--mount", "/bin/sh", "-ec",
             'mount -t proc proc "$1/proc"; exec chroot --userspec="$0" "$1" /bin/sh -c "$2"',
             self.user, str(self.root), f"cd {shlex.quote(self.folder)} && {shlex.join(command)}"],
            check=True,
            env={**told, "DEBIAN_FRONTEND": "noninteractive", "HOME": "/tmp", **self.environment},
        )  # fmt: skip


def instructions(text: str) -> list[tuple[str, str]]:
    """(word, rest) of each instruction."""
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    lines = plain.replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


def copy(stage: Stage, rest: str, stages: dict[str, Stage]) -> None:
    """COPY, from another stage or from what .dockerignore lets into the build."""
    words = rest.split()
    origin = stages[words.pop(0).partition("=")[2]] if words[0].startswith("--from=") else None
    *sources, target = words
    kept = (DOCKERFILE.with_name("Dockerfile.dockerignore")).read_text("utf-8").split()
    for source in sources:
        if origin is None and f"!{source}" not in kept:
            raise SystemExit(f"COPY {source}: Dockerfile.dockerignore keeps it out of the build")
        found = ROOT / source if origin is None else origin.inside(source)
        to = stage.inside(target)
        if target.endswith("/") or target == ".":
            to = to / found.name if found.is_file() else to
        to.parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            leave = shutil.ignore_patterns("__pycache__", "*.so")
            none = shutil.ignore_patterns()
            shutil.copytree(
                found, to, symlinks=True, dirs_exist_ok=True, ignore=none if origin else leave
            )
        else:
            shutil.copy2(found, to)


def build(base: Path, folder: Path) -> Stage:
    """All stages; the last one."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for word, rest in instructions(DOCKERFILE.read_text(encoding="utf-8")):
        print(f"{word} {rest}"[:110], flush=True)
        if word == "FROM":
            image, *named = rest.split()
            assert image.startswith("python:3.13-"), f"{DEBIAN} is no {image}"
            stage = Stage(base, folder / f"stage{len(stages)}")
            stages[named[-1] if named else str(len(stages))] = stage
            continue
        assert stage is not None
        if word == "WORKDIR":
            stage.folder = rest
            stage.inside(".").mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                known = stage.environment
                stage.environment = {
                    **known, name: re.sub(r"\$(\w+)", lambda m, e=known: e[m[1]], value)
                }  # fmt: skip
        elif word == "COPY":
            copy(stage, rest, stages)
        elif word == "RUN":
            stage.run("/bin/sh", "-ec", rest)
        elif word == "USER":
            stage.user = f"{rest}:{rest}"
        elif word not in NOT_BUILT:
            raise SystemExit(f"{word}: this script does not know what that makes of an image")
    assert stage is not None
    return stage


def main(folder: Path) -> None:
    """Build below `folder`, and start what was built."""
    base = folder / "base"
    if not base.exists():
        subprocess.run(
            [
                "debootstrap",
                "--variant=minbase",
                f"--include={PACKAGES}",
                DEBIAN,
                str(base),
                MIRROR,
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    shutil.copy("/etc/resolv.conf", base / "etc" / "resolv.conf")
    # Whoever this machine trusts: its authorities, which a package index of its own may need.
    certificates = base / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    shutil.copyfile("/etc/ssl/certs/ca-certificates.crt", certificates)
    python = base / "usr" / "local" / "bin" / "python"
    python.unlink(missing_ok=True)
    python.symlink_to("/usr/bin/python3")
    image = build(base, folder)
    for command in STARTS:
        image.run(*command)
    last = [rest for word, rest in instructions(DOCKERFILE.read_text("utf-8")) if word == "CMD"][-1]
    assert json.loads(last)[0] == "sendgate"
    print("the image's steps make a product that starts")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
