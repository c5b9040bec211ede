"""/api/v2/users: who signs in, as what; for admins, each as far as it reaches."""

from control.api.page import BY_NAME
from control.api.route import DRY, GONE, Call, Route, Thing
from control.plan.view import Reader
from control.users.desk import Administered
from control.users.people import Linked, NewUser, People, UserChange, UserReset
from control.users.person import PersonView, person
from control.users.personlist import UserQuery
from control.values.part import Slice

PATH = "/api/v2/users"


class UsersApi:
    """Calls what it was given."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def _list(self, call: Call) -> Slice[PersonView]:
        return await self._people.page(call.asker, call.wanted, call.parted)

    async def _one(self, call: Call) -> PersonView:
        return await self._people.one(call.asker, call.path["user"])

    async def _read(self, call: Call, connection: Reader) -> PersonView:
        return await person(connection, call.path["user"])

    async def _add(self, call: Call) -> Administered[Linked]:
        return await self._people.add(call.asker, call.body, call.address, dry=call.dry)

    async def _change(self, call: Call) -> Administered[PersonView]:
        name = call.path["user"]
        return await self._people.change(
            *(call.asker, name, call.body, call.address, call.reason),
            dry=call.dry,
            still=call.still,
        )

    async def _reset(self, call: Call) -> Administered[Linked]:
        name = call.path["user"]
        return await self._people.reset(
            call.asker, name, call.body, call.address, dry=call.dry, still=call.still
        )

    async def _sessions(self, call: Call) -> Administered[PersonView]:
        name = call.path["user"]
        return await self._people.end_sessions(
            call.asker, name, call.reason, dry=call.dry, still=call.still
        )

    async def _remove(self, call: Call) -> Administered[PersonView]:
        name = call.path["user"]
        return await self._people.remove(
            call.asker, name, call.reason, dry=call.dry, still=call.still
        )

    def routes(self) -> list[Route]:
        """All of them."""
        one = f"{PATH}/{{user}}"
        return [
            Route(
                "GET",
                PATH,
                "Users",
                self._list,
                list[PersonView],
                wanted=UserQuery,
                listing=BY_NAME,
            ),
            Route(
                "POST",
                PATH,
                "Add a user: a one-time link to choose a password, mailed or answered",
                self._add,
                Administered[Linked],
                secret=True,
                body=NewUser,
                query=DRY,
                status=201,
            ),
            Route(
                "GET",
                one,
                "One user",
                self._one,
                PersonView,
                thing=Thing(self._read, measured=frozenset({"sessions", "used"})),
            ),
            Route(
                "PATCH",
                one,
                "Change what a user may do, at once; disable or enable it",
                self._change,
                Administered[PersonView],
                body=UserChange,
                query=GONE,
            ),
            Route(
                "DELETE",
                one,
                "Take a user away; what it did stays in the audit log",
                self._remove,
                Administered[PersonView],
                query=GONE,
            ),
            Route(
                "POST",
                f"{one}/reset",
                "End its sessions and its password: a one-time link, mailed or answered",
                self._reset,
                Administered[Linked],
                secret=True,
                body=UserReset,
                query=DRY,
            ),
            Route(
                "DELETE",
                f"{one}/sessions",
                "End its sessions: it has to sign in anew",
                self._sessions,
                Administered[PersonView],
                query=GONE,
            ),
        ]
