"""A schema of the OpenAPI document: what it takes, judged by itself, and values to ask it about."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import idna
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Schema = dict[str, Any]

TEXTS = (
    # Names.
    *("acme", "A.b-c_d", "-a", "a b", "a" * 64, "a" * 65, "7", "all", "PLAN", "a#b", "{x}", "é"),
    # Domains and hosts.
    *("example.com", "EXAMPLE.com.", "münchen.example", "münchen", "a_b.example", "-a.example"),
    *("a-.example", "a..example", f"{'x' * 63}.example", f"{'x' * 64}.example", "1.2.3", "com"),
    *("example.123", ".example", f"{'a.' * 75}example", f"{'a.' * 80}example", "☃.example"),
    *("a\u200db.example", "xn--mnchen-3ya.example", f"{'a.' * 124}example"),
    # Addresses of mail.
    *("a@example.com", "a@com", "a b@example.com", '"a b"@example.com', "a@@example.com", "a@"),
    *(f"{'x' * 64}@example.com", f"{'x' * 65}@example.com", "ü@example.com", "@example.com"),
    *("a@münchen.example", "a@[192.0.2.1]", '"@example.com', "a@1.2.3", "a@exam ple.com"),
    # Addresses of hosts.
    *("192.0.2.7", "192.0.2.256", "192.0.02.1", "2001:db8::7", "2001:DB8:0:0::7", "::1::"),
    *("fe80::1%eth0", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8:9", "127.0.0.1", "224.0.0.1", "0.0.0.0"),
    # Networks.
    *("10.0.0.0/8", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "10.0.0.0/08"),
    *("2001:db8::/32", "2001:db8::/129", "fe80::%eth0/128", "::ffff:0.0.0.0/96"),
    # Times.
    *("09:00-17:00", "09:00-09:00", "00:00-24:00", "22:00-06:00", "9:00-17:00", "24:00-06:00"),
    *("Europe/Paris", "UTC", "Etc/GMT+5", "../etc/passwd", "/etc", "Nowhere/At_All", "Europe/"),
    *("1d", "90m", "1x", "-1d", "2030-01-01T00:00:00Z"),
    # Words and numbers.
    *("unlimited", "plan", "mta", "none", "1000000000", "1000000001", "007", "-1", "١", "("),
    # What nobody types.
    *("", " ", "a\n", "\x00", "a\u2028", "a\u00a0b", "a\ue000", "a\u007f", "\ufeffa"),
    *("x" * 255, "x" * 256, "x" * 500, "x" * 501, "x" * 513, "x" * 1_000, "x" * 1_001),
)


class Judge:
    """Of one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.schemas: dict[str, Schema] = document["components"]["schemas"]

    def resolved(self, schema: Schema) -> Schema:
        """The schema a reference names."""
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def takes(self, schema: Schema, value: Any) -> bool:
        """Whether the value is one of the schema's (JSON Schema 2020-12, the words we use)."""
        schema = self.resolved(schema)
        unknown = schema.keys() - _WORDS
        assert not unknown, f"the judge does not know {unknown}"
        if "anyOf" in schema and not any(self.takes(one, value) for one in schema["anyOf"]):
            return False
        if not all(self.takes(one, value) for one in schema.get("allOf", ())):
            return False
        if "not" in schema and self.takes(schema["not"], value):
            return False
        if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
            return False
        if "const" in schema and not _same(value, schema["const"]):
            return False
        if "type" in schema and not _is(value, schema["type"]):
            return False
        if isinstance(value, str):
            return _text(schema, value)
        if isinstance(value, bool) or value is None:
            return True
        if isinstance(value, int | float):
            return _number(schema, value)
        if isinstance(value, list):
            most = schema.get("maxItems", len(value))
            some = schema.get("minItems", 0) <= len(value) <= most
            return some and all(self.takes(schema.get("items", {}), one) for one in value)
        return self._object(schema, value)

    def _object(self, schema: Schema, value: dict[str, Any]) -> bool:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        if set(schema.get("required", ())) - value.keys():
            return False
        if not all(self.takes(schema.get("propertyNames", {}), key) for key in value):
            return False
        for key, one in value.items():
            if key not in properties and others is False:
                return False
            if not self.takes(properties.get(key, others), one):
                return False
        return True

    def values(self, schema: Schema) -> Iterator[Any]:
        """Values to ask about: right ones, wrong ones, and what lies at the bounds."""
        schema = self.resolved(schema)
        yield from (None, True, False, 0, 1, -1, 1.5, 10**12, "", [], {}, ["x"], {"x": 1})
        yield from schema.get("enum", ())
        for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if word in schema:
                yield from (schema[word] - 1, schema[word], schema[word] + 1)
        if schema.get("type") == "string" and "enum" not in schema:
            yield from TEXTS
            for one in (schema, *schema.get("anyOf", ())):
                if "pattern" in one:
                    yield from examples(one["pattern"])
        elif schema.get("type") == "array":
            for one in self.values(schema["items"]):
                yield [one]
        elif schema.get("type") == "object" and "properties" in schema:
            right = {key: _EXAMPLES[key] for key in schema["properties"]}
            for key, one in schema["properties"].items():
                for value in self.values(one):
                    yield {**right, key: value}
        elif schema.get("type") == "object":
            for key in (*schema.get("propertyNames", {}).get("enum", ()), "nobody"):
                yield {key: 3}
            for value in self.values(schema["additionalProperties"]):
                yield {"gmail": value}
        else:
            for one in schema.get("anyOf", ()):
                yield from self.values(one)


_WORDS = {
    *(
        "type",
        "title",
        "description",
        "default",
        "examples",
        "anyOf",
        "allOf",
        "not",
        "enum",
        "const",
    ),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"),
    *(
        "pattern",
        "format",
        "minItems",
        "maxItems",
        "items",
        "properties",
        "required",
        "propertyNames",
    ),
    "additionalProperties",
    "contentEncoding",
}
_EXAMPLES = {
    "name": "config",
    "text": "postmaster p@new.example",
    "host": "pmta.example",
    "port": 2525,
    "address": "anna@gmail.com",
    "reason": "bounce",
    "until": "",
    "note": "",
    "tenant": "acme",
    "domain": "new.example",
    "ip": "192.0.2.12",
    "stage": 2,
    "day": 2,
    "plan": "default",
    "sent": 50,
    "bounced": 0,
    "complaints": 0,
}


def examples(pattern: str, number: int = 10) -> list[str]:
    """Texts that a pattern takes, the same ones each time."""
    found: list[str] = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.from_regex(re.compile(pattern)))
    def collect(text: str) -> None:
        # What has no name yet, or none but among friends, no pattern lists.
        if all(unicodedata.category(char) not in ("Cn", "Co") for char in text):
            found.append(text)

    collect()
    return found


def _same(value: Any, wanted: Any) -> bool:
    """JSON's true is no 1."""
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _is(value: Any, kind: str | list[str]) -> bool:
    if isinstance(kind, list):
        return any(_is(value, one) for one in kind)
    if kind in ("integer", "number"):
        wanted: Any = int if kind == "integer" else int | float
        return isinstance(value, wanted) and not isinstance(value, bool)
    kinds = {"string": str, "boolean": bool, "null": type(None), "array": list, "object": dict}
    return isinstance(value, kinds[kind])


def _text(schema: Schema, value: str) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return False
    # Its $ is the end (ECMA 262), Python's also stands before a last line end.
    pattern = schema.get("pattern", "").replace("$)", r"\Z)")
    if pattern.endswith("$") and not pattern.endswith(r"\$"):
        pattern = pattern[:-1] + r"\Z"
    if not re.search(pattern, value):
        return False
    return _FORMATS[schema["format"]](value) if "format" in schema else True


def _number(schema: Schema, value: float) -> bool:
    return (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
    )


def _idn_hostname(value: str) -> bool:
    try:
        return len(idna.encode(value.lower().rstrip("."), uts46=True)) <= 253
    except (idna.IDNAError, UnicodeError):
        return False


def _idn_email(value: str) -> bool:
    local, at, domain = value.strip().rpartition("@")
    seen = all(unicodedata.category(char)[0] not in "CZ" for char in local)
    return bool(at and local and seen and len(local.encode()) <= 64) and _idn_hostname(domain)


_FORMATS: dict[str, Any] = {
    "idn-hostname": _idn_hostname,
    "idn-email": _idn_email,
    "ipv4": lambda value: ":" not in value,
    "ipv6": lambda value: ":" in value,
}
"""What a pattern cannot say; the pattern beside ipv4 and ipv6 says the rest."""
