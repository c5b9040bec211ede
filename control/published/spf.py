"""SPF of a sending domain, as a receiver finds it: one record, and every IP passes by it."""

import asyncio
from collections.abc import Iterable

from control.published.asking import Questions
from control.published.finding import DnsFinding, Verdict
from control.published.spfeval import MOST_LOOKUPS, Outcome, Receiver, cost, sender_of
from control.published.spfrecord import SpfRecord, SpfSyntaxError, is_spf, parse
from control.published.subject import Subject
from control.sources.dns import Record, zone_text
from control.sources.spf import LONGEST

_NAMED = 3
"""IPs said in a sentence."""


async def spf_findings(subject: Subject, questions: Questions) -> list[DnsFinding]:
    """At least one."""
    domain = subject.domain
    answer = await questions.ask(domain, "TXT")
    if answer.state == "unknown":
        return [_finding(domain, "unknown", f"not known: {answer.why}")]
    texts = [text for text in answer.values if is_spf(text)]
    wanted = [zone_text(_wanted(subject, texts))]
    if not texts:
        what = "no SPF record (v=spf1) is published"
        return [_finding(domain, "error", what, answer.values, wanted)]
    if len(texts) > 1:
        what = f"{len(texts)} SPF records are published: receivers use none, exactly one may be"
        return [_finding(domain, "error", what, texts, wanted)]
    try:
        record = parse(texts[0])
    except SpfSyntaxError as error:
        return [_finding(domain, "error", f"the record is wrong: {error}", texts, wanted)]
    ips = [ip for ip, _ in subject.hosts]
    receivers = [Receiver(questions, sender_of(ip, domain, host)) for ip, host in subject.hosts]
    outcomes = await asyncio.gather(*(receiver.check() for receiver in receivers))
    differing = await _differing(subject, questions)
    found = _not_passing(subject, dict(zip(ips, outcomes, strict=True)), texts, wanted, differing)
    if not found:
        found = [
            _finding(r.name, "warning", f"all IPs pass, but {_than(r)}", there, [zone_text(r)])
            for r, there in differing
        ]
    found += await _style(domain, texts[0], record, questions)
    return found or [_finding(domain, "ok", f"one record, by which {_count(ips)} passes")]


def _not_passing(
    subject: Subject,
    outcomes: dict[str, Outcome],
    texts: list[str],
    wanted: list[str],
    differing: list[tuple[Record, list[str]]],
) -> list[DnsFinding]:
    """One finding for each way in which IPs do not pass."""
    ways: dict[Outcome, list[str]] = {}
    for ip, outcome in outcomes.items():
        if outcome.result != "pass":
            ways.setdefault(outcome, []).append(ip)
    found = []
    for outcome, ips in ways.items():
        if outcome.result == "temperror":
            what = f"not known for {_some(ips)}: {outcome.why}"
            found.append(_finding(subject.domain, "unknown", what))
            continue
        why = f" ({outcome.why})" if outcome.why else ""
        verb = "does" if len(ips) == 1 else "do"
        what = f"{_some(ips)} of {len(outcomes)} {verb} not pass: {outcome.result}{why}"
        lines = [line for line in wanted if f'"{texts[0]}"' not in line]
        lines += [zone_text(record) for record, _ in differing]
        there = [*texts, *(text for _, values in differing for text in values)]
        found.append(_finding(subject.domain, "error", what, there, lines or wanted))
    return found


async def _differing(subject: Subject, questions: Questions) -> list[tuple[Record, list[str]]]:
    """Records of the pool's SPF that DNS has otherwise, with what is there instead."""
    records = [
        r for r in subject.of("TXT", "A", below=subject.include) if r.type == "A" or is_spf(r.value)
    ]
    answers = await asyncio.gather(
        *(questions.ask(r.name, "A" if r.type == "A" else "TXT") for r in records)
    )
    return [
        (record, list(answer.values))
        for record, answer in zip(records, answers, strict=True)
        if answer.state != "unknown"
        and (answer.absent if record.type == "A" else record.value not in answer.values)
    ]


def _than(record: Record) -> str:
    return f"{record.name} is another record than that of the pool: what it lists besides may send"


async def _style(
    domain: str, text: str, record: SpfRecord, questions: Questions
) -> list[DnsFinding]:
    """What works, and is a risk."""
    found = []
    total = await cost(questions, domain)
    if total is not None and total > MOST_LOOKUPS:
        what = f"a receiver that goes through all of it needs {total} look-ups: at {MOST_LOOKUPS} "
        found.append(f"{what}it gives up, and senders behind that do not pass")
    if len(text.encode()) > LONGEST:
        what = f"the record has {len(text.encode())} octets: above {LONGEST} its answer may not "
        found.append(
            f"{what}fit one of 512 (RFC 7208 3.4), and each 255 need a string of their own"
        )
    last = next((d for d in record.directives if d.kind == "all"), None)
    if last is not None and last.result == "pass":
        found.append("+all lets everybody send for the domain")
    elif last is None and not record.redirect:
        found.append("it has no `all` at its end: what it does not name is neither allowed nor not")
    if any(directive.kind == "ptr" for directive in record.directives):
        found.append("ptr is slow, and many receivers skip it (RFC 7208 5.5)")
    return [_finding(domain, "warning", what, [text]) for what in found]


def _wanted(subject: Subject, texts: list[str]) -> Record:
    """The domain's own record, with what others put into it kept."""
    ours = next(r for r in subject.of("TXT") if r.name == subject.domain and is_spf(r.value))
    terms: list[str] = []
    for text in texts:
        try:
            parse(text)
        except SpfSyntaxError:
            continue
        terms += [t for t in text.split()[1:] if t not in terms]
    include, last = f"include:{subject.include}", "~all"
    every = [t for t in terms if t.lower().lstrip("+-~?") == "all"]
    kept = [t for t in terms if t not in every and t != include]
    if not kept and not every:
        return ours
    last = next((t for t in ("~all", "-all") if t in every), last)
    value = " ".join(["v=spf1", include, *kept, last])
    return Record(ours.name, ours.type, value, ours.why)


def _some(ips: list[str]) -> str:
    more = f" and {len(ips) - _NAMED} more" if len(ips) > _NAMED else ""
    return f"{', '.join(ips[:_NAMED])}{more}"


def _count(ips: list[str]) -> str:
    return "its IP" if len(ips) == 1 else f"each of {len(ips)} IPs"


def _finding(
    name: str, verdict: Verdict, what: str, there: Iterable[str] = (), wanted: Iterable[str] = ()
) -> DnsFinding:
    return DnsFinding(
        about="SPF", name=name, verdict=verdict, what=what, there=[*there], wanted=[*wanted]
    )
