"""The table of pages, in the order of the menu: a page is a line here, a view and a template."""

from control.console.page import Page
from control.console.views import alerts, held, ip, ips, vmta, vmtas

PAGES: tuple[Page, ...] = (
    ips.PAGE,
    ip.PAGE,
    vmtas.PAGE,
    vmta.PAGE,
    held.PAGE,
    alerts.PAGE,
)
"""Those that need nothing but a visit."""
