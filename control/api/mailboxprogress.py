"""/api/warmup/quota, /mailbox and /metrics: how far mailboxes are, as callers know it."""

from typing import Annotated, Literal

import msgspec

from control.api.route import Call, Route
from control.progress.view import MailboxQuery, MailboxQuotas, MailboxView, QuotaQuery, Views
from control.tenants.view import Known
from control.values.wanted import meant
from control.watch.called import Called
from control.watch.warmup import WarmupMetrics, text
from policy.model import Name


class MetricsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of whom, and how."""

    tenant: Annotated[Name | None, meant("Only this tenant's.")] = None
    format: Annotated[
        Literal["json", "prometheus"], meant("json, or prometheus for its text format.")
    ] = "json"


class MailboxProgressApi:
    """`known`: whether a tenant is there."""

    def __init__(self, views: Views, called: Called, known: Known) -> None:
        self._views = views
        self._called = called
        self._known = known

    async def _quota(self, call: Call) -> MailboxQuotas:
        wanted: QuotaQuery = call.wanted
        await self._known(wanted.tenant)
        return await self._views.quotas(wanted)

    async def _mailbox(self, call: Call) -> list[MailboxView] | MailboxView:
        wanted: MailboxQuery = call.wanted
        await self._known(wanted.tenant)
        return await self._views.mailboxes(wanted)

    async def _metrics(self, call: Call) -> WarmupMetrics | str:
        wanted: MetricsQuery = call.wanted
        await self._known(wanted.tenant)
        found = await self._called.metrics(wanted.tenant)
        return text(found) if wanted.format == "prometheus" else found

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(
                "GET",
                "/api/warmup/quota",
                "How far mailboxes are in their daily minimum; those behind, with status=behind",
                self._quota,
                MailboxQuotas,
                wanted=QuotaQuery,
            ),
            Route(
                "GET",
                "/api/warmup/mailbox",
                "Mailboxes today: sent, failed, days in a row, last sent, next possible; or one",
                self._mailbox,
                list[MailboxView] | MailboxView,
                wanted=MailboxQuery,
            ),
            Route(
                "GET",
                "/api/warmup/metrics",
                "The warmup_* metrics, as JSON or for Prometheus",
                self._metrics,
                WarmupMetrics,
                wanted=MetricsQuery,
                text=True,
            ),
        ]
