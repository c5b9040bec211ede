"""Headers of everything the console answers.

Rule: a page runs and loads what this process serves as a file, and nothing else; no script and no
style stands in it, so that text of others that got into it could do nothing. Its referrer stays
here: with `no-referrer` a browser would send forms with `Origin: null` (Fetch, "append a request
Origin header"), which tells nothing of where they come from.
"""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
PAGE = {**ALWAYS, "Cache-Control": "no-store"}
"""Of pages: what they show is of who asks, and of now."""
FILE = {**ALWAYS, "Cache-Control": "public, max-age=31536000, immutable"}
"""Of files: another content has another name."""
