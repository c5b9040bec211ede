"""What a page of ours lets a browser do: run and load what stands in it, and nothing else (CSP)."""

import base64
import hashlib


def allowed(text: str) -> str:
    """One inline script or style, as its policy lists it."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem; }
label, input, button { display: block; width: 100%; font: inherit; margin: .4rem 0; }
input, button { padding: .5rem; box-sizing: border-box; }
dt { font-weight: 600; margin-top: 1rem; } dd { margin: 0; }
"""
"""Of all pages."""
