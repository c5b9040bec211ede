"""/api/v2/tokens: what programs ask the API with; for admins, each as far as it reaches."""

from control.api.page import BY_NAME
from control.api.route import DRY, GONE, Call, Route, Thing
from control.plan.view import Reader
from control.users.desk import Administered
from control.users.issuing import Issued, Issuing, NewToken, TokenChange
from control.users.token import TokenView, one
from control.users.tokenlist import TokenQuery
from control.values.part import Slice

PATH = "/api/v2/tokens"


class TokensApi:
    """Calls what it was given."""

    def __init__(self, issuing: Issuing) -> None:
        self._issuing = issuing

    async def _list(self, call: Call) -> Slice[TokenView]:
        return await self._issuing.page(call.asker, call.wanted, call.parted)

    async def _one(self, call: Call) -> TokenView:
        return await self._issuing.one(call.asker, call.path["token"])

    async def _read(self, call: Call, connection: Reader) -> TokenView:
        return await one(connection, call.path["token"])

    async def _add(self, call: Call) -> Issued:
        done = await self._issuing.add(call.asker, call.body, call.address, dry=call.dry)
        return done.view

    async def _change(self, call: Call) -> Administered[TokenView]:
        name = call.path["token"]
        return await self._issuing.change(
            call.asker, name, call.body, call.address, dry=call.dry, still=call.still
        )

    async def _revoke(self, call: Call) -> Administered[TokenView]:
        name = call.path["token"]
        return await self._issuing.revoke(
            call.asker, name, call.reason, dry=call.dry, still=call.still
        )

    def routes(self) -> list[Route]:
        """All of them."""
        path = f"{PATH}/{{token}}"
        return [
            Route(
                "GET",
                PATH,
                "Tokens, and when each was used last",
                self._list,
                list[TokenView],
                wanted=TokenQuery,
                listing=BY_NAME,
            ),
            Route(
                "POST",
                PATH,
                "Make a token; it is shown this once",
                self._add,
                Issued,
                secret=True,
                body=NewToken,
                query=DRY,
                status=201,
            ),
            Route(
                "GET",
                path,
                "One token, never its secret",
                self._one,
                TokenView,
                thing=Thing(self._read, measured=frozenset({"used", "expired"})),
            ),
            Route(
                "PATCH",
                path,
                "Change what a token is good for; its secret stays",
                self._change,
                Administered[TokenView],
                body=TokenChange,
                query=DRY,
            ),
            Route(
                "DELETE",
                path,
                "Make a token worthless at once",
                self._revoke,
                Administered[TokenView],
                query=GONE,
            ),
        ]
