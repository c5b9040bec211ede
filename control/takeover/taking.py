"""Takes a running PowerMTA's configuration over into rows: shown first, all of it or nothing.

Rule: what is there already stays as it is, so the same import twice adds nothing. With anything
refused nothing is written, unless the operator says that it may be left out.
Failure: the act is one transaction; PowerMTA and the gateways see the rows with the generation.
"""

import fnmatch
import posixpath
import secrets
from collections.abc import Sequence

import msgspec

from control.plan.rows import vmta_by_ip
from control.pmta.dkim import Seal
from control.pmta.grammar.node import Fault, File
from control.pmta.grammar.parse import parse
from control.pmta.grammar.printing import printed
from control.pmta.own import keep
from control.problem import FieldProblem, RefusedError, bad, counted, cut, quoted, taken
from control.sources import domain
from control.sources.domain import GivenKey, NewDomain
from control.sources.pool import ensure, put_member
from control.sources.vmta import NewVmta, ensure_vmta
from control.store.change import Act
from control.takeover.asked import TakeoverAsked
from control.takeover.found import Entry, Report, Understanding, entry
from control.takeover.rows import DomainRow, PoolRow, Rows, rows_of
from control.takeover.understanding import understand
from control.tenants import tenant as tenants
from control.tenants.tenant import NewTenant, default_pool
from control.values.ip import sending_ip
from control.values.name import printable
from policy.number import agree, count
from settings.model import Warmup

MOST = 500
"""VirtualMTAs of one import; and domains, each of which may need a new key."""


class FirstLogin(msgspec.Struct, frozen=True, kw_only=True):
    """Of a tenant that is new."""

    tenant: str
    login: str
    password: str | None
    """Shown this once; null where nothing was changed."""


class TakeoverView(msgspec.Struct, frozen=True, kw_only=True):
    """What became, or would become, of it."""

    understood: list[Entry]
    kept: list[Entry]
    refused: list[Entry]
    warned: list[Entry]
    """Lets mail reach an IP past the gateways, or opens a door; PowerMTA takes it."""
    tenants: list[FirstLogin]
    """That are new."""
    pools: int
    vmtas: int
    domains: int
    own: dict[str, str]
    """What was kept, as text: of `''` for the top level, else of the VirtualMTA or pool it stood
    in."""


def understood(asked: TakeoverAsked, *, rollups: bool = True) -> Understanding:
    """Of all files. Raises RefusedError for a main file that was not given."""
    texts = {one.name: one.text for one in asked.files}
    if any(not printable(name) for name in texts):
        raise bad("files", "control characters cannot be used in a name")
    tops: list[File] = []
    faults: list[Fault] = []
    for name in asked.main:
        if name not in texts:
            raise taken("main", f"{quoted(name)} is not among the files")
        parsed = parse(name, texts, lambda argument, file: named(argument, file, texts))
        tops.append(parsed.file)
        faults += parsed.faults
    return understand(tops, faults, rollups=rollups)


def named(argument: str, file: str, names: Sequence[str] | dict[str, str]) -> list[str]:
    """Which of `names` an include in `file` means: PowerMTA looks from that file's folder."""
    pattern = posixpath.normpath(posixpath.join(posixpath.dirname(file), argument))
    return sorted(n for n in names if fnmatch.fnmatchcase(posixpath.normpath(n), pattern))


async def take(
    act: Act,
    asked: TakeoverAsked,
    *,
    seal: Seal,
    warmup: Warmup,
    signs: bool,
    rollups: bool,
    dry: bool,
) -> TakeoverView:
    """Raises RefusedError with every part that was refused; nothing was changed then. `signs`:
    PowerMTA signs by what is generated; `dry`: it is only shown, with what is refused."""
    found = understood(asked, rollups=rollups)
    rows = rows_of(found, asked.tenant, asked.of)
    rows = await _given_keys(act, asked, rows, found.report)
    if len(rows.vmtas) > MOST or len(rows.domains) > MOST:
        raise RefusedError(f"more than {MOST} VirtualMTAs or domains: import file by file")
    if found.report.refused and not (asked.leave_refused or dry):
        raise _refused(found.report)
    logins = [await _tenant(act, name, dry=dry) for name in rows.tenants]
    audited = len(act.audited)
    names, new = await _vmtas(act, asked, rows, warmup, found.report)
    rows = rows.of(names)
    if found.report.refused and not (asked.leave_refused or dry):
        raise _refused(found.report)
    members = sum([await _pool(act, pool, names) for pool in rows.pools])
    kept = await _own(act, found, rows, names)
    ips = {vmta.name: vmta.ip for _, vmta in rows.vmtas}
    noted = len(act.notes)
    for row in rows.domains:
        await _domain(act, asked, row, ips, seal, warmup)
    # Of pools and weeks: what ran together elsewhere goes on so.
    del act.notes[noted:]
    if new or members or kept or len(act.audited) > audited:
        after = {"vmtas": list(names.values()), "domains": [row.domain for row in rows.domains]}
        await act.audit("pmta.import", cut(asked.main[0]), None, after, asked.reason)
    elif rows.vmtas:
        act.no_change("everything that was understood is here already")
    else:
        act.no_change("nothing was understood that can be taken over")
    if rows.domains and not signs:
        act.note(
            f"PowerMTA signed {counted([row.domain for row in rows.domains], 'domain')} until now, "
            "and signs nothing by what is generated: set control.pmta_keys before it loads that"
        )
    elif rows.domains:
        act.note("publish the records first: `sendgate domain show DOMAIN` has them")
    if new:
        act.note(
            f"{count(new, 'new IP')} {agree(new, 'begins', 'begin')} at stage 1 of the "
            f"warm-up: `sendgate warmup import FILE.csv` "
            "takes over where they are"
        )
    return view(found, rows, [one for one in logins if one is not None])


def view(found: Understanding, rows: Rows, logins: list[FirstLogin]) -> TakeoverView:
    """As it is shown."""
    own = {"": printed(found.kept)} if found.kept else {}
    own |= {name: printed(nodes) for name, nodes in found.inner.items()}
    report = found.report
    return TakeoverView(
        understood=report.understood,
        kept=report.kept,
        refused=report.refused,
        warned=report.warned,
        tenants=logins,
        pools=len({pool.name for pool in rows.pools if pool.name}),
        vmtas=len(rows.vmtas),
        domains=len(rows.domains),
        own=own,
    )


def _refused(report: Report) -> RefusedError:
    count = len(report.refused)
    problems = [FieldProblem(f"{one.file}:{one.line}", one.what) for one in report.refused]
    what = "1 part of the configuration is" if count == 1 else f"{count} parts of it are"
    title = f"{what} refused; nothing was changed"
    return RefusedError(title, status=409, errors=problems)


async def _given_keys(act: Act, asked: TakeoverAsked, rows: Rows, report: Report) -> Rows:
    """Those that may be taken over. A domain that signs elsewhere goes on with that key, or says
    that it does not, and is left out; one that is here has its key."""
    if asked.new_keys:
        return rows
    left = []
    for row in rows.domains:
        is_here = await domain.pool_of(act, row.tenant, row.domain) is not None
        if row.key.file in asked.keys or is_here:
            left.append(row)
        else:
            at = (row.key.place.file, row.key.place.line)
            report.understood[:] = [e for e in report.understood if (e.file, e.line) != at]
            why = (
                f"its key {row.key.file} was not given: --keys FOLDER with a copy of it, or "
                "--new-keys to sign with new ones"
            )
            report.refused.append(entry(row.key.place, str(row.key), why))
    return rows._replace(domains=left)


async def _tenant(act: Act, name: str, *, dry: bool) -> FirstLogin | None:
    try:
        await default_pool(act, name)
    except RefusedError as error:
        if error.status != 404:
            raise
    else:
        return None
    password = secrets.token_urlsafe(24)
    await tenants.add(act, NewTenant(name=name, login=name, password=password))
    return FirstLogin(tenant=name, login=name, password=None if dry else password)


async def _vmtas(
    act: Act, asked: TakeoverAsked, rows: Rows, warmup: Warmup, report: Report
) -> tuple[dict[str, str], int]:
    """(names in the configuration to names here, for an IP that is here keeps its name; how many
    are new). What cannot be had here (an IP of another tenant's) is refused with its place."""
    names: dict[str, str] = {}
    made = 0
    for tenant, vmta in rows.vmtas:
        ip = sending_ip(vmta.ip)
        new = NewVmta(tenant=tenant, ip=ip)
        is_new = await vmta_by_ip(act.connection, ip) is None
        if is_new:
            new = NewVmta(
                tenant=tenant,
                ip=ip,
                name=vmta.name,
                host_name=vmta.host_name,
                server=asked.server,
            )
        try:
            async with act.connection.transaction():
                names[vmta.name] = await ensure_vmta(act, new, below=vmta.host_name, warmup=warmup)
        except RefusedError as error:
            if not _of_it(error):
                raise _at(error, str(vmta.place)) from error
            at = (vmta.place.file, vmta.place.line)
            report.understood[:] = [e for e in report.understood if (e.file, e.line) != at]
            report.refused.append(entry(vmta.place, f"<virtual-mta {vmta.name}>", error.line()))
        else:
            made += is_new
    return names, made


def _of_it(error: RefusedError) -> bool:
    """Whether one VirtualMTA cannot be had: its IP is another tenant's, its name another's. What is
    wrong with the line (a server that is not there) ends the import."""
    return error.status == 409 or [one.field for one in error.errors] == ["vmta"]


async def _pool(act: Act, pool: PoolRow, names: dict[str, str]) -> int:
    """How many VirtualMTAs came into it."""
    name = pool.name or await default_pool(act, pool.tenant)
    await ensure(act, pool.tenant, name)
    added = [await put_member(act, pool.tenant, name, names[member]) for member in pool.members]
    return sum(added)


async def _own(act: Act, found: Understanding, rows: Rows, names: dict[str, str]) -> int:
    """In how many blocks lines were kept; of a block that is no row, nowhere."""
    there = names | {pool.name: pool.name for pool in rows.pools if pool.name}
    kept = [
        await keep(act, there[name], printed(nodes))
        for name, nodes in found.inner.items()
        if name in there
    ]
    return sum(kept)


async def _domain(
    act: Act, asked: TakeoverAsked, row: DomainRow, ips: dict[str, str], seal: Seal, warmup: Warmup
) -> None:
    if await domain.pool_of(act, row.tenant, row.domain) is not None:
        return
    new = NewDomain(
        tenant=row.tenant,
        domain=row.domain,
        ip=ips[row.pool.members[0]],
        pool=row.pool.name or None,
    )
    pem = asked.keys.get(row.key.file)
    try:
        given = None if pem is None else GivenKey(row.key.selector, seal.taken(row.key.file, pem))
        await domain.add(act, new, seal=seal, warmup=warmup, given=given)
    except RefusedError as error:
        raise _at(error, str(row.key.place)) from error


def _at(error: RefusedError, place: str) -> RefusedError:
    return RefusedError(f"{place}: {error.line()}", kind=error.kind)
