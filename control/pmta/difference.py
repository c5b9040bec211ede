"""What changes from one configuration to another, file by file. Pure."""

import difflib

from control.pmta.fileset import MAIN, FileSet


def differences(before: FileSet, after: FileSet) -> dict[str, str]:
    """Unified diffs by file, the first file first; what is in both as it is, is left out."""
    found = {}
    names = before.files.keys() | after.files.keys()
    for name in sorted(names, key=lambda one: (one != MAIN, one)):
        old, new = before.files.get(name), after.files.get(name)
        if old == new:
            continue
        lines = difflib.unified_diff(
            (old or "").splitlines(keepends=True),
            (new or "").splitlines(keepends=True),
            "/dev/null" if old is None else name,
            "/dev/null" if new is None else name,
        )
        found[name] = "".join(lines)
    return found
