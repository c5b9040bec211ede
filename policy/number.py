"""Numbers of things, as people say them."""


def count(number: int, noun: str) -> str:
    """`1 message`, `2 messages`, `3 batches`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("ry"):
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}{'es' if noun.endswith(('ch', 'ss', 'x')) else 's'}"


def agree(number: int, one: str, many: str) -> str:
    """The word that goes with so many: `agree(1, "is", "are")`."""
    return one if number == 1 else many
