"""`python -m tests.schemathesis.summary FOLDER`: the table of a run, a line a role, and what is
left to mend; exit code 1 where a role is missing or anything is left."""

import sys
from pathlib import Path

from tests.schemathesis.report import ROLES


def summary(folder: Path) -> tuple[str, bool]:
    """(for people, whether nothing is left)."""
    files = {role: folder / f"{role}.txt" for role in ROLES}
    told = {role: f.read_text("utf-8").splitlines() for role, f in files.items() if f.exists()}
    lines = [one for said in list(told.values())[:1] for one in said[:1]]
    lines += [said[1] for said in told.values()]
    left = [f"{role}: {line}" for role, said in told.items() for line in said[2:] if line]
    missing = [f"{role}: was not asked as" for role in ROLES if role not in told]
    return "\n".join([*lines, *left, *missing]), not left and not missing


if __name__ == "__main__":
    text, done = summary(Path(sys.argv[1]))
    print(text)
    sys.exit(not done)
