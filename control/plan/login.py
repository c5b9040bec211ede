"""A login's row as gateways have it."""

from control.plan.rows import LoginRow
from policy.model import FormerPassword, Login


def login_of(row: LoginRow) -> Login:
    """With its former password, also one that has ended: it stays until its row is swept, and
    gateways hold it against its end."""
    former = None
    if row.former is not None and row.until is not None:
        former = FormerPassword(hash=row.former, until=row.until)
    return Login(name=row.name, hash=row.hash, former=former)
