"""Collects a configuration from a disk: the files named, and what they include.

Rule: files keep the names that PowerMTA knows them by; where a copy of its tree is read elsewhere,
what is not at its own place is looked for beside the file that includes it.
"""

import posixpath
from pathlib import Path

import msgspec

from control.pmta.grammar.node import File, Line, Node, file_names, flat
from control.pmta.grammar.parse import parse
from control.problem import RefusedError
from control.takeover.found import key_of

MOST = 5_000
"""Files of one configuration."""
LARGEST = 8_000_000
"""Octets of one file."""


class Gathered(msgspec.Struct, frozen=True):
    """Texts by name, and the names of those that no other includes."""

    texts: dict[str, str]
    main: list[str]


def gather(files: list[Path]) -> Gathered:
    """Raises RefusedError for a file that cannot be read."""
    work = _Work()
    trees = {str(path): work.tree(path) for path in files}
    included = {name for tree in trees.values() for name in file_names(tree)[1:]}
    return Gathered(work.texts, [name for name in trees if name not in included])


def key_texts(folder: Path | None, trees: Gathered) -> dict[str, str]:
    """Private keys that `domain-key` lines name, by the names they have there: from `folder`, else
    from their own places; those that are in neither are left out."""
    found: dict[str, str] = {}
    for text in trees.texts.values():
        parsed = parse("", {"": text}, _nothing)
        for name in _key_files(parsed.file.inside):
            path = Path(name) if folder is None else folder / posixpath.basename(name)
            try:
                found[name] = path.read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError):
                continue
    return found


class _Work:
    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def tree(self, path: Path) -> File:
        name = str(path)
        self.texts[name] = _text(path)
        return parse(name, self.texts, self._include).file

    def _include(self, argument: str, file: str) -> list[str]:
        if "://" in argument:
            return []
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(file), argument))
        folder, pattern = posixpath.split(wanted)
        names = []
        # A copy of the tree: the same folder's name, or none, beside the file.
        beside = Path(file).parent
        for place in (Path(folder), beside / posixpath.basename(folder), beside):
            found = sorted(path for path in place.glob(pattern) if path.is_file())
            if found:
                for path in found:
                    name = posixpath.join(folder, path.name)
                    if len(self.texts) >= MOST and name not in self.texts:
                        raise RefusedError(f"more than {MOST} files: import them in parts")
                    if name not in self.texts:
                        self.texts[name] = _text(path)
                    names.append(name)
                break
        return names


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RefusedError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > LARGEST:
        raise RefusedError(
            f"{path} has {len(data)} octets, at most {LARGEST}: is it the right one?"
        )
    # What is no UTF-8 is told with its line by who reads it.
    return data.decode("utf-8", "replace")


def _key_files(nodes: tuple[Node, ...]) -> set[str]:
    found: set[str] = set()
    for node in flat(nodes):
        if not isinstance(node, Line):
            found |= _key_files(node.inside)
        elif node.name == "domain-key" and (key := key_of(node)) and key.domain != "*":
            found.add(key.file)
    return found


def _nothing(_argument: str, _file: str) -> list[str]:
    return []
