"""Prints a configuration in one shape: four blanks a level, one blank between name and argument.
Pure.

Rule: what is printed reads back as the same tree, and prints the same again.
"""

from collections.abc import Iterable, Iterator

from control.pmta.grammar.node import PATTERN, Block, Comment, Include, Line, Node


def printed(nodes: Iterable[Node], level: int = 0) -> str:
    """Lines, each with its end. An include stays an include: its files are files of their own."""
    return "".join(f"{line}\n" for line in _lines(nodes, level))


def _lines(nodes: Iterable[Node], level: int) -> Iterator[str]:
    margin = "    " * level
    for node in nodes:
        match node:
            case Comment(text=text):
                yield f"{margin}# {text}".rstrip()
            case Include(argument=argument, comment=comment):
                yield margin + _commented(f"include {argument}", comment)
            case Line(comment=comment):
                yield margin + _commented(headline(node), comment)
            case Block(tag=tag, comment=comment, inside=inside):
                yield margin + _commented(headline(node), comment)
                yield from _lines(inside, level + 1)
                yield f"{margin}</{tag}>"


def headline(node: Line | Block) -> str:
    """A line as it stands, or the beginning of a block, without comments."""
    if isinstance(node, Line):
        return node.argument if node.name == PATTERN else f"{node.name} {node.argument}".rstrip()
    return f"{node.behind} <{f'{node.tag} {node.argument}'.rstrip()}>".strip()


def _commented(text: str, comment: str) -> str:
    return f"{text} # {comment}" if comment else text
