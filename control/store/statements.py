"""Control's statements: `NOUN.sql` of this folder."""

from settings.statements import Statements
from settings.statements import statements as of_package


def statements(noun: str) -> Statements:
    """The statements of `NOUN.sql`. Raises StatementError."""
    return of_package("control.store", noun)
