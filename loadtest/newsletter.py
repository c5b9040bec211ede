"""Newsletters as senders really make them: HTML with tables, styles and tracked links.

Sizes come near the target in octets; tracking tokens are pseudo-random, as real ones are, so that
the text compresses no better than mail does.
"""

import random
from email.message import EmailMessage
from email.policy import SMTP

_WORDS = [
    "offre",
    "saison",
    "nouveau",
    "collection",
    "découvrez",
    "livraison",
    "gratuite",
    "jusqu'au",
    "dimanche",
    "atelier",
    "lumière",
    "matière",
    "week",
    "discover",
    "season",
    "workshop",
    "harvest",
    "letter",
    "garden",
    "quality",
    "price",
    "member",
    "invitation",
    "thursday",
    "evening",
    "reading",
    "recipe",
    "summer",
    "winter",
    "journal",
    "edition",
    "selection",
    "gift",
]

_ROW = """<tr><td style="padding:12px 24px;font-family:Arial,Helvetica,sans-serif;font-size:15px;\
line-height:22px;color:#333333;"><a href="https://news.example/c/{token}" \
style="color:#0b5394;text-decoration:none;font-weight:bold;">{title}</a><br>{text}</td>
<td width="120"><img src="https://img.example/{picture}.jpg" width="120" height="80" alt="{title}" \
style="display:block;border:0;"></td></tr>
"""


def newsletter(size: int, seed: int = 7) -> bytes:
    """A whole message of about `size` octets, CRLF line ends."""
    chance = random.Random(seed)

    def words(count: int) -> str:
        return " ".join(chance.choices(_WORDS, k=count))

    rows: list[str] = []
    while sum(map(len, rows)) < size - 1000:
        rows.append(
            _ROW.format(
                token="".join(chance.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=48)),
                picture="".join(chance.choices("0123456789abcdef", k=12)),
                title=words(3).capitalize(),
                text=words(chance.randint(12, 30)).capitalize() + ".",
            )
        )
    message = EmailMessage(policy=SMTP)
    message["From"] = "La Gazette <news@bench.example>"
    message["To"] = "you@dest.example"
    message["Subject"] = "La Gazette du jeudi"
    message["Message-ID"] = "<gazette.1@bench.example>"
    message["Date"] = "Sun, 22 Nov 2026 09:00:00 +0000"
    message.set_content(
        '<!DOCTYPE html><html lang="fr"><head><meta charset="utf-8"><title>La Gazette</title>'
        '</head>\n<body style="margin:0;background:#f4f4f4;"><table width="600" align="center" '
        f'cellpadding="0" cellspacing="0">\n{"".join(rows)}</table></body></html>\n',
        subtype="html",
        cte="8bit",
    )
    return message.as_bytes()
