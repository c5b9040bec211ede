"""Our header fields, on top of the message; nothing else is touched.

MailWizz may have signed the message (DKIM) and finds bounces by its Message-ID, so body, order
and spelling of every kept field stay octet for octet.
"""


def stamp(kept: bytes, *, vmta: str, job: str, envelope: str) -> bytes:
    """The header block to send. `kept` is `Header.kept`; an empty `job` adds no field."""
    job_field = f"x-job: {job}\r\n" if job else ""
    ours = f"x-virtual-mta: {vmta}\r\n{job_field}x-envid: {envelope}\r\n"
    return ours.encode("ascii") + kept
