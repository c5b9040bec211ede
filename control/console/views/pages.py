"""The table of pages, in the order of the menu: a page is a line here, a view and a template."""

from control.console.page import Page
from control.console.views import (
    alerts,
    audit,
    explain,
    held,
    ip,
    ips,
    job,
    jobs,
    plan,
    programs,
    reputation,
    tenant,
    tenants,
    tokens,
    user,
    users,
    vmta,
    vmtas,
)

PAGES: tuple[Page, ...] = (
    ips.PAGE,
    ip.PAGE,
    plan.PAGE,
    vmtas.PAGE,
    vmta.PAGE,
    held.PAGE,
    explain.PAGE,
    tenants.PAGE,
    tenant.PAGE,
    reputation.PAGE,
    alerts.PAGE,
    jobs.PAGE,
    job.PAGE,
    audit.PAGE,
    users.PAGE,
    user.PAGE,
    tokens.PAGE,
    programs.PAGE,
)
"""Those that need nothing but a visit."""
