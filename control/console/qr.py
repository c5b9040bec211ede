"""A text as a QR code (ISO/IEC 18004), drawn as SVG in the page: no image is loaded, and nothing in
it is a style or a script, so that the console's policy (CSP) holds."""

from markupsafe import Markup

PIXELS = 4
"""Of a module: telephones read it from a screen at arm's length."""


def qr(text: str, means: str) -> Markup:
    """Dark on light whatever the page's colours are: readers want it so. `means`: what it is, for
    who does not see it."""
    # One page in a thousand has one; nobody else waits for its tables.
    import segno

    # Level M corrects 15 %: a smear on a screen.
    drawn = segno.make(text, error="m", micro=False).svg_inline(
        scale=PIXELS, border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None
    )
    # Numbers and its own words alone: nothing of the text stands in what is drawn.
    svg = Markup(drawn)  # noqa: S704
    return Markup('<figure role="img" aria-label="{}">{}</figure>').format(means, svg)
