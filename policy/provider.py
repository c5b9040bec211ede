"""Which mailbox provider receives a recipient, by the recipient's domain.

The domain alone decides: MX look-ups would put DNS on the message path, and hosted domains
(a company at Google Workspace) are judged by other rules than consumer mailboxes anyway.
Domains are those the providers name in their own sign-up pages and postmaster sites.
"""

OTHER = "other"

DOMAINS: dict[str, tuple[str, ...]] = {
    "gmail": ("gmail.com", "googlemail.com"),
    "microsoft": (
        "outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com",
        "outlook.fr", "hotmail.fr", "live.fr", "outlook.de", "hotmail.de", "live.de",
        "hotmail.co.uk", "live.co.uk", "outlook.es", "hotmail.es", "live.it", "hotmail.it",
        "outlook.it", "live.nl", "hotmail.nl", "live.be", "hotmail.be", "outlook.be",
        "outlook.pt", "live.ca", "hotmail.ca", "outlook.jp", "live.jp", "hotmail.co.jp",
        "live.com.au", "outlook.com.au", "outlook.com.br", "live.se", "hotmail.se", "live.dk",
        "live.no", "outlook.at", "live.at", "outlook.ie", "live.ie", "outlook.sa", "live.ru",
    ),
    "yahoo": (
        "yahoo.com", "ymail.com", "rocketmail.com", "myyahoo.com", "aol.com", "aim.com",
        "yahoo.fr", "yahoo.de", "yahoo.co.uk", "yahoo.it", "yahoo.es", "yahoo.ca", "yahoo.in",
        "yahoo.co.in", "yahoo.com.br", "yahoo.com.mx", "yahoo.com.ar", "yahoo.com.au",
        "yahoo.gr", "yahoo.ie", "yahoo.se", "yahoo.no", "yahoo.dk", "yahoo.pl", "yahoo.ro",
        "yahoo.com.tr", "yahoo.co.id", "yahoo.com.sg", "yahoo.com.ph", "yahoo.com.vn",
        "aol.fr", "aol.de", "aol.co.uk", "aol.it", "verizon.net", "netscape.net", "cs.com",
    ),
    "yahoo-japan": ("yahoo.co.jp", "ybb.ne.jp"),
    "apple": ("icloud.com", "me.com", "mac.com"),
    "orange": ("orange.fr", "wanadoo.fr", "voila.fr"),
    "free": ("free.fr", "libertysurf.fr", "aliceadsl.fr", "online.fr"),
    "sfr": ("sfr.fr", "neuf.fr", "cegetel.net", "club-internet.fr", "9online.fr", "numericable.fr"),
    "laposte": ("laposte.net",),
    "bouygues": ("bbox.fr",),
    "unitedinternet": (
        "gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "gmx.fr", "gmx.eu", "web.de",
        "mail.com", "1und1.de",
    ),
    "telekom": ("t-online.de", "magenta.de"),
    "freenet": ("freenet.de",),
    "libero": ("libero.it", "virgilio.it", "inwind.it", "iol.it", "blu.it", "giallo.it"),
    "tiscali": ("tiscali.it", "tiscali.co.uk"),
    "aruba": ("aruba.it",),
    "wp": ("wp.pl", "o2.pl"),
    "onet": ("onet.pl", "onet.eu", "op.pl", "poczta.onet.pl", "vp.pl"),
    "interia": ("interia.pl", "interia.eu", "poczta.fm"),
    "seznam": ("seznam.cz", "email.cz", "post.cz"),
    "telenet": ("telenet.be",),
    "proximus": ("proximus.be", "skynet.be", "belgacom.net"),
    "ziggo": ("ziggo.nl", "home.nl", "upcmail.nl"),
    "kpn": ("kpnmail.nl", "planet.nl", "hetnet.nl"),
    "bluewin": ("bluewin.ch",),
    "bt": ("btinternet.com", "btopenworld.com"),
    "sky": ("sky.com",),
    "virginmedia": ("virginmedia.com", "ntlworld.com", "blueyonder.co.uk"),
    "proton": ("proton.me", "protonmail.com", "protonmail.ch", "pm.me"),
    "mailru": ("mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru", "xmail.ru"),
    "yandex": (
        "yandex.ru", "yandex.com", "ya.ru", "yandex.by", "yandex.kz", "yandex.ua", "narod.ru",
    ),
    "rambler": ("rambler.ru", "lenta.ru", "autorambler.ru", "myrambler.ru", "ro.ru"),
    "ukrnet": ("ukr.net",),
    "comcast": ("comcast.net", "xfinity.com"),
    "qq": ("qq.com", "foxmail.com"),
    "netease": ("163.com", "126.com", "yeah.net"),
    "naver": ("naver.com",),
}  # fmt: skip

PROVIDERS: tuple[str, ...] = (*DOMAINS, OTHER)

_BY_DOMAIN = {domain: provider for provider, domains in DOMAINS.items() for domain in domains}


def provider_of(domain: str) -> str:
    """The provider of a recipient domain (lower case, A-labels); `other` for all the rest."""
    return _BY_DOMAIN.get(domain, OTHER)
