"""The kinds of problem there are: what each means, its status, and what to do (RFC 9457, 3.1.1).

Rule: this is the one table. The pages under `/api/problems/`, the types of the API's description
and what a refusal answers are made from it, and a test finds each of them raised. A kind is what a
caller can act on in one way; what is wrong this time is the refusal's own detail.
Names stay: callers compare them. A title may be worded better, and nobody may compare that.
"""

from control.kind import Kind

INVALID = Kind(
    name="invalid",
    status=400,
    title="Something in the request cannot be so",
    means="A field, a parameter or a header has a value that is never possible, or one that is "
    "needed is missing; `errors` lists all that were found.",
    fix="correct {field} as the detail says, and send the request again",
)
UNKNOWN_PARAMETER = Kind(
    name="unknown-parameter",
    status=400,
    title="The path takes no such query parameter",
    means="A parameter that means nothing is refused: who mistypes one must not get the answer to "
    "another question.",
    fix="leave {field} out, or spell it as /api/openapi.json does",
)
UNREADABLE_BODY = Kind(
    name="unreadable-body",
    status=400,
    title="The body cannot be read",
    means="It is not JSON, or not what this path takes.",
    fix="send what /api/openapi.json says of this path, in UTF-8",
    where="body",
)
TOKEN_NEEDED = Kind(
    name="token-needed",
    status=401,
    title="A valid token is needed",
    means="The request carries no token, or one that is unknown, over, of a disabled user, or "
    "bound to other networks than it comes from; which of these is not told.",
    fix="send Authorization: Bearer TOKEN, or X-API-Key: TOKEN; `sendgate token add` makes a "
    "token, POST /api/v1/auth/login one for ten minutes",
    where="known",
)
SIGN_IN_REFUSED = Kind(
    name="sign-in-refused",
    status=401,
    title="This does not prove who asks",
    means="The password, the code or the refresh token is not right (any more). A name that "
    "nobody has is answered alike.",
    fix="check {field}, and try again; what is used up or over is not good again: sign in anew, or "
    "have an admin make another link",
    where="entry",
)
SIGNATURE_REFUSED = Kind(
    name="signature-refused",
    status=401,
    title="The batch is not signed as it must be",
    means="The signature is of another key, of another text or of another time; nothing was "
    "stored.",
    fix="sign as deploy/runbook/accounting.md says: accounting.webhook_key, a clock that is right",
    where="door",
)
ROLE_TOO_LOW = Kind(
    name="role-too-low",
    status=403,
    title="The role does not allow this",
    means="Who asks is known, and may do less than this asks for.",
    fix="ask as somebody, or with a token, of the role that the detail names; an admin can give it",
    where="known",
)
ALL_TENANTS = Kind(
    name="all-tenants",
    status=403,
    title="This concerns all tenants",
    means="Who asks is bound to some tenants, and this is about what all of them share.",
    fix="ask with a token that is bound to no tenant, or have its holder do it",
    where="known",
)
OUT_OF_REACH = Kind(
    name="out-of-reach",
    status=403,
    title="This reaches further than who asks",
    means="Nobody gives to others, or to itself, what it does not have: a role, tenants, a longer "
    "time, other networks.",
    fix="ask for less, or have it done by who has it",
    where="known",
)
NOT_FOUND = Kind(
    name="not-found",
    status=404,
    title="There is no such thing",
    means="What the path, a parameter or the body names is not there; what is another tenant's "
    "is answered alike.",
    fix="look at the list of what there is, and ask with a name of that",
    where="known",
)
NO_SUCH_PATH = Kind(
    name="no-such-path",
    status=404,
    title="There is no such path",
    means="The API has nothing at this path.",
    fix="take the path from /api/openapi.json",
    where="door",
)
NO_SUCH_METHOD = Kind(
    name="no-such-method",
    status=405,
    title="The path has no such method",
    means="The path is right, the method is not.",
    fix="take one of the methods in the answer's Allow",
    where="door",
)
NOT_ACCEPTABLE = Kind(
    name="not-acceptable",
    status=406,
    title="Nothing that is accepted is answered here",
    means="Accept leaves out all media types that the path answers; nothing was done.",
    fix="accept one of those that the detail names",
)
TOO_SLOW = Kind(
    name="too-slow",
    status=408,
    title="The body did not come in time",
    means="It came too slowly, or not to its end; nothing was stored.",
    fix="send it again, in smaller batches where the line is slow",
    where="door",
)
CONFLICT = Kind(
    name="conflict",
    status=409,
    title="It contradicts what is there",
    means="The request is right in itself, and not as things are now; nothing was changed.",
    fix="look at what the detail names, change that first, or ask for something else",
    where="known",
)
TAKEN = Kind(
    name="taken",
    status=409,
    title="It is taken",
    means="What is to be new is there already, or another's.",
    fix="choose another value for {field}, or change the one that is there",
    where="change",
)
IN_THE_WAY = Kind(
    name="in-the-way",
    status=409,
    title="Something is in the way",
    means="What is to go is still needed; the detail, or `errors`, counts and names all that "
    "needs it.",
    fix="end what is named first; `dry_run=1` shows what is left",
    where="change",
)
BEING_DONE = Kind(
    name="being-done",
    status=409,
    title="The first request with this key is still being done",
    means="The same request under the same Idempotency-Key is under way; it is not done twice.",
    fix="wait for Retry-After and send the same again: it gets the first one's answer",
    where="keyed",
)
CHANGED_SINCE = Kind(
    name="changed-since",
    status=412,
    title="It is not as the condition has it",
    means="What is there is not what If-Match names (somebody changed it since it was read), or is "
    "what If-None-Match excludes, or the path can hold no condition; nothing was changed.",
    fix="read it again, look at what is another now, and send the change with the new ETag",
    where="tagged",
)
TOO_LARGE = Kind(
    name="too-large",
    status=413,
    title="The body is too large",
    means="It has more octets than the setting that the detail names, packed or unpacked.",
    fix="send less at a time, or raise that setting",
    where="body",
)
UNSUPPORTED = Kind(
    name="unsupported-type",
    status=415,
    title="The body is of a type that is not taken",
    means="Its media type or its coding is another than the path takes; nothing was done.",
    fix="send it as the answer's Accept or Accept-Encoding says",
    where="body",
)
EXPECTATION = Kind(
    name="expectation",
    status=417,
    title="What is expected is not held",
    means="Expect asks for something other than 100-continue; nothing was done.",
    fix="leave the header out",
    where="door",
)
KEY_REUSED = Kind(
    name="key-reused",
    status=422,
    title="The key was used for another request",
    means="An Idempotency-Key is of one request: path, query and body. Nothing was done.",
    fix="take a new Idempotency-Key",
    where="keyed",
)
CONDITION_NEEDED = Kind(
    name="condition-needed",
    status=428,
    title="The change has to say what it saw",
    means="It replaces a whole text, and what somebody else wrote into that since would be gone "
    "without a word; nothing was changed.",
    fix="send If-Match with the ETag that GET of what it changes answers, or * to write over it",
    where="needed",
)
LOCKED = Kind(
    name="locked",
    status=429,
    title="Too many attempts failed",
    means="Passwords or codes were guessed at from here, or everywhere; the right one is not "
    "looked at either until Retry-After.",
    fix="wait for Retry-After, then try again with the right one",
    where="entry",
)
TOO_MANY_KEYS = Kind(
    name="too-many-keys",
    status=429,
    title="Too many Idempotency-Keys are kept",
    means="Who asks has as many keys as are kept of one (control.idempotency_most).",
    fix="ask without a key, or after Retry-After",
    where="keyed",
)
QUOTA_EXCEEDED = Kind(
    name="quota-exceeded",
    status=429,
    title="More requests than are allowed",
    means="A token, a person or, without either, an address asked more often than it may in a "
    "minute; `violated-policies` names which of RateLimit-Policy's. Nothing was done. This is the "
    "type of that name of draft-ietf-httpapi-ratelimit-headers, explained where it can be read.",
    fix="wait for Retry-After, then send the same again; ask for lists rather than one by one",
)
OUR_ERROR = Kind(
    name="our-error",
    status=500,
    title="An error on our side",
    means="Something that should not happen did; the log has it under the request id.",
    fix="give whoever runs Sendgate the request_id; look at what became of a change before "
    "repeating it",
)
PART_AWAY = Kind(
    name="part-away",
    status=503,
    title="A part that is needed is away",
    means="PostgreSQL, the ledger, PowerMTA or a disk does not answer as it must; nothing was "
    "changed unless the detail says so.",
    fix="try again after Retry-After; `sendgate status` says what is away",
)
BUSY = Kind(
    name="busy",
    status=503,
    title="Too much is going on at this moment",
    means="Others had the turn for as long as this could wait; nothing was changed.",
    fix="send the same again after Retry-After",
)
LEDGER_CLOSED = Kind(
    name="ledger-closed",
    status=503,
    title="The ledger is closed",
    means="Its counters cannot be trusted, and nothing is sent until they can.",
    fix="`sendgate ledger status` says why, and what opens it",
    where="known",
)
PMTA_SILENT = Kind(
    name="pmta-silent",
    status=503,
    title="PowerMTA was not heard to run what it must",
    means="The change needs PowerMTA's new configuration first, and its agent, or PowerMTA, did "
    "not say in time that it runs it; nothing was changed.",
    fix="look at `sendgate pmta status` and at the agent's log, then send the same again",
    where="change",
)
NOT_SET_UP = Kind(
    name="not-set-up",
    status=503,
    title="A setting is missing or is not the one it was",
    means="This needs a setting that is not there, or a key that is another now. Trying again "
    "changes nothing.",
    fix="whoever runs Sendgate sets what the detail names, and restarts control",
)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        *(INVALID, UNKNOWN_PARAMETER, UNREADABLE_BODY),
        *(TOKEN_NEEDED, SIGN_IN_REFUSED, SIGNATURE_REFUSED),
        *(ROLE_TOO_LOW, ALL_TENANTS, OUT_OF_REACH),
        *(NOT_FOUND, NO_SUCH_PATH, NO_SUCH_METHOD, NOT_ACCEPTABLE, TOO_SLOW),
        *(CONFLICT, TAKEN, IN_THE_WAY, BEING_DONE, CHANGED_SINCE),
        *(TOO_LARGE, UNSUPPORTED, EXPECTATION, KEY_REUSED, CONDITION_NEEDED),
        *(LOCKED, TOO_MANY_KEYS, QUOTA_EXCEEDED),
        *(OUR_ERROR, PART_AWAY, BUSY, LEDGER_CLOSED, PMTA_SILENT, NOT_SET_UP),
    )
}
"""By name."""
