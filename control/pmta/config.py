"""The configuration of a PowerMTA server, rows → files: one for each concern and tenant.

Every directive is in `directives.csv`, or nothing is returned.
Rule: fragments for `include`, never a main file: what is the operator's stays the operator's.
Failure: `ConfigValueError` names the value; nothing is written.
"""

from collections.abc import Iterable

from control.pmta.directive import problem
from control.pmta.fileset import MAIN, FileSet
from control.pmta.generator.doors import monitors, processors, sources, system
from control.pmta.generator.providers import providers
from control.pmta.generator.records import accounting
from control.pmta.generator.replies import backoff, categories
from control.pmta.generator.terms import Terms
from control.pmta.generator.text import ConfigValueError, path, value
from control.pmta.generator.virtualmta import pool, signed, virtual_mta
from policy.model import VirtualMta
from policy.plan import Generation

FOLDER = "{folder}"
"""Where the files stand is not known here: whoever writes them puts the folder's path in its
place."""
KEYS = "{keys}"
"""The same for the folder of the DKIM key files."""
NO_POOL = "no-pool.conf"
"""VirtualMTAs that are in nobody's pool."""

_HEADER = """\
# Written by Sendgate. Do not edit: change the plan with `sendgate`, then include {main}
# from PowerMTA's own configuration and reload it.
# Server: {server}. {what}"""
_HEADER_OF_OTHERS = "# Written by Sendgate. Do not edit. Server: {server}. {what}"
"""They come behind the first one, in one text or by its includes."""


def tenant_file(tenant: str) -> str:
    """The name of a tenant's file."""
    return f"tenant-{tenant}.conf"


def pmta_config(generation: Generation, terms: Terms, server: str | None = None) -> FileSet:
    """The files of one PowerMTA server (None: of all VirtualMTAs).

    Every VirtualMTA of the generation is written, paused and retiring ones too: PowerMTA bounces
    the mail queued for one that vanishes. Raises ConfigValueError."""
    texts = {
        "replies.conf": ("What providers say.", [backoff(terms), categories(terms)]),
        "providers.conf": ("Mailbox providers.", [providers(terms)]),
        "sources.conf": ("Who brings mail in.", [sources(terms)]),
        "system.conf": ("Sendgate's own mail.", [system(terms)]),
        **_vmtas(generation, terms, server),
        "processors.conf": ("Bounces and complaints by mail.", [processors(terms)]),
        "accounting.conf": ("Accounting.", [accounting(terms, server)]),
        "monitor.conf": ("The web monitor.", [monitors(terms)]),
    }
    files = {}
    for name, (what, blocks) in texts.items():
        if any(blocks):
            files[name] = _file(server, what, [block for block in blocks if block])
    lines = "\n".join(f"include {FOLDER}/{name}" for name in files)
    first = _HEADER.format(main=MAIN, server=value(server or "all"), what="Includes the others.")
    found = FileSet({MAIN: f"{first}\n\n{lines}\n", **files})
    if wrong := problem(found.whole()):
        raise ConfigValueError(f"PowerMTA would refuse its configuration: {wrong}")
    return found


def placed(found: FileSet, folder: str) -> FileSet:
    """The files with the folder in which they will stand. Raises ConfigValueError."""
    main = found.files[MAIN].replace(FOLDER, path(folder))
    return FileSet({**found.files, MAIN: main})


def _file(server: str | None, what: str, blocks: Iterable[str]) -> str:
    header = _HEADER_OF_OTHERS.format(server=value(server or "all"), what=what)
    return "\n\n".join([header, *blocks]) + "\n"


def _vmtas(
    generation: Generation, terms: Terms, server: str | None
) -> dict[str, tuple[str, list[str]]]:
    """A file for each tenant: its VirtualMTAs, then the pools they are in."""
    here = {v.name: v for v in generation.vmtas if server is None or v.server == server}
    keys = signed(generation, terms)
    whose = {m: p.tenant for p in generation.pools for m in p.members if m in here}
    found: dict[str, tuple[str, list[str]]] = {}

    def of(tenant: str | None) -> list[str]:
        name = NO_POOL if tenant is None else tenant_file(tenant)
        what = "VirtualMTAs in no pool." if tenant is None else f"Tenant {tenant}."
        return found.setdefault(name, (what, []))[1]

    def block(vmta: VirtualMta) -> str:
        return virtual_mta(vmta, keys.get(vmta.name, []), terms)

    for vmta in here.values():
        of(whose.get(vmta.name)).append(block(vmta))
    for one in generation.pools:
        members = [here[member] for member in one.members if member in here]
        # PowerMTA refuses an empty pool.
        if members:
            of(one.tenant).append(pool(one, members, terms))
    return found
