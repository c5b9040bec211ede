"""Nothing native is used by two threads at a time: zstd contexts that were, corrupted the heap.

Python's own objects are safe under its lock; an object of a C library that lets the lock go is
not. So every place that starts a thread is named here with why what it uses is its own, and the
classes of such libraries are made in the places named here and in no others.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.repository import nodes_of, python_files

THREADS = {
    ("control/api/described.py", "lambda: of.described"): "reads routes, which nobody changes",
    ("control/api/described.py", "lambda: of.drawn"): "reads routes, which nobody changes",
    ("gateway/watch/admin.py", "_collect"): "reads files into a registry of its own",
    ("gateway/session/auth.py", "self._right"): "argon2's context is made in the call",
    ("gateway/hold/release/release.py", "self._contents.open"): "Contents is one of each thread",
    ("gateway/hold/keep/store.py", "self._contents.pack"): "Contents is one of each thread",
    ("gateway/supervisor/supervisor.py", "child.process.wait"): "waits; Popen has a lock for it",
    (
        "control/accounting/reader.py",
        "trail.look",
    ): "files and unpacker are the trail's, behind its lock",
    ("control/accounting/forgetwork.py", "zlib.decompress"): "one call, no object",
    ("control/accounting/forgetwork.py", "_lines_with"): "searches octets, changes nothing",
    ("control/accounting/forgetwork.py", "_with"): "one call, no object",
    ("control/accounting/forgetwork.py", "_batch_without"): "makes its packer in the call",
    ("control/accounting/inbox.py", "_kept"): "makes its packer and unpacker in the call",
    ("control/accounting/inbox.py", "inflated"): "makes its unpacker in the call",
    (
        "control/accounting/inbox.py",
        "work.next",
    ): "reads its own batch, one call at a time",
    ("control/accounting/shipped.py", "_look"): "one stream's, behind its lock; nothing native",
    ("control/api/agent.py", "unpacked"): "makes its unpacker in the call",
    ("control/api/coding.py", "packed"): "makes its packer in the call",
    ("control/accounting/survey.py", "survey"): "opens files of its own",
    ("control/accounting/status.py", "_views"): "looks at files, changes nothing",
    ("control/explain/look.py", "_certificate"): "reads and parses files of its own",
    ("control/api/metrics.py", "self._host"): "asks the system for disks and memory",
    ("control/health/look.py", "room"): "asks the system how full disks are",
    ("control/held/look.py", "opened"): "makes its cipher and its unpacker in the call",
    ("control/sources/domain.py", "seal.new_key"): "makes its key and its Fernet in the call",
    ("control/rotation/stages.py", "seal.new_key"): "makes its key and its Fernet in the call",
    ("control/users/hashing.py", "work"): "argon2's context is made in the call",
    ("control/mailboxes/importing.py", "_read"): "reads a text of its own",
    ("control/plan/history.py", "compare"): "decodes two texts of its own",
    ("control/plan/agents.py", "self._files"): "makes texts of what nobody changes",
    ("control/plan/agents.py", "staged"): "makes texts of what nobody changes",
    ("control/plan/powermta.py", "staged_text"): "makes texts of what nobody changes",
    ("control/plan/applying.py", "facts"): "reads texts, changes nothing",
    ("control/plan/configured.py", "differences"): "compares texts, changes nothing",
    ("control/plan/configured.py", "_warned"): "reads texts, changes nothing",
    ("control/pmta/offering.py", "self._opened"): "makes its Fernet in the call",
    ("gateway/hold/upkeep/suppressed.py", "load"): "maps files of its own, read only",
    ("gateway/hold/upkeep/suppressed.py", "merged"): "reads what nobody changes, makes its own",
    ("gateway/hold/upkeep/suppressed.py", "save_base"): "a file of its own",
    ("gateway/hold/upkeep/suppressed.py", "save_head"): "a file of its own",
    ("gateway/suppressions/known.py", "load"): "maps files of its own, read only",
    ("control/embedded/demo/aftermath.py", "_asked"): "opens an SMTP connection of its own",
    ("control/embedded/demo/run.py", "send_all"): "opens an SMTP connection of its own",
    ("control/pmta/handover.py", "_read"): "a file",
    ("control/pmta/handover.py", "_write"): "a file",
    ("control/pmta/handover.py", "write_keys"): "files",
    ("control/pmta/handover.py", "delete_keys"): "files",
}
"""(file, what runs in the thread) to why nothing native in it is anybody else's."""

NATIVE = {
    "AESGCM": {
        "control/backup/sealing.py",
        "control/held/content.py",
        "gateway/hold/keep/content.py",
    },
    "Fernet": {"control/store/keyring.py"},
    "SSLContext": {"settings/tls.py"},
    "ZstdCompressor": {"gateway/hold/keep/content.py"},
    "ZstdDecompressor": {"control/held/content.py", "gateway/hold/keep/content.py"},
    "create_default_context": {
        "control/agent/post.py",
        "control/terminal/client.py",
        "settings/tls.py",
    },
    "hiredis.Reader": {"policy/ledger/rawconnection.py"},
}
"""Makers of objects of C libraries that let go of Python's lock, and who may call them: the event
loop alone (hiredis, the TLS contexts, a backup's file), each call for itself (`Fernet`, an
operator's look at what is held), or `threading.local`."""

_STARTS = {"to_thread": 0, "run_in_executor": 1, "submit": 0}
_NEVER = {"Thread", "ThreadPoolExecutor", "start_new_thread"}


def _calls() -> Iterator[tuple[str, str, ast.Call]]:
    """(file, name of what is called, the call) of the whole product."""
    for path in python_files("gateway", "control", "policy", "settings"):
        for node in nodes_of(path):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                yield str(path), name, node


def test_every_thread_is_known_and_uses_nothing_of_anybody_else() -> None:
    found = {
        (file, ast.unparse(call.args[_STARTS[name]]))
        for file, name, call in _calls()
        if name in _STARTS
    }
    assert found == set(THREADS), "name it in THREADS, and why nothing native in it is shared"
    assert not [(file, name) for file, name, _ in _calls() if name in _NEVER]


def test_native_objects_are_made_where_no_second_thread_reaches_them() -> None:
    found: dict[str, set[str]] = {}
    for file, name, call in _calls():
        for known in {name, ast.unparse(call.func)} & set(NATIVE):
            found.setdefault(known, set()).add(file)
    assert found == NATIVE


def test_the_codecs_of_held_contents_belong_to_one_thread_each() -> None:
    nodes = nodes_of(Path("gateway/hold/keep/content.py"))
    local = {
        id(call)
        for kind in nodes
        if isinstance(kind, ast.ClassDef) and [*map(ast.unparse, kind.bases)] == ["threading.local"]
        for call in ast.walk(kind)
    }
    made = [
        call
        for call in nodes
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in NATIVE
    ]
    assert len(made) == 3
    assert {id(call) for call in made} <= local
