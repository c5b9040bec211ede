"""Whether a message's lines end with CRLF, all of them.

`paired` is C where the product is compiled (`_lineends.c`) and `paired_in_python` where it is not;
a test holds them equal. Asked because a lenient MTA behind us may take a bare LF or CR for a line
end, and so see a second message where we saw one (CVE-2023-51764).
"""

from collections.abc import Callable
from io import IncrementalNewlineDecoder

_PIECE = 1_048_576


def paired_in_python(content: bytes) -> bool:
    """Whether every CR is followed by an LF and every LF comes after a CR.

    Python's reader of text files notes in C which line ends it saw, in one pass over octets read
    as Latin-1, where three counts need three (`problem` for 4 KB: 9.4 to 3.9 µs, tests/bench)."""
    seen = IncrementalNewlineDecoder(None, translate=False)
    if len(content) <= _PIECE:
        seen.decode(content.decode("latin-1"), final=True)
    else:
        view = memoryview(content)
        for start in range(0, len(view), _PIECE):
            seen.decode(str(view[start : start + _PIECE], "latin-1"))
        seen.decode("", final=True)
    return seen.newlines in (None, "\r\n")


paired: Callable[[bytes], bool]
try:
    from gateway.session._lineends import paired as paired
except ImportError:  # a checkout, or no C compiler
    paired = paired_in_python
