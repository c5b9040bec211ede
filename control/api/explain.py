"""/api/v2/explain: why a message goes where it goes, or what became of it."""

from control.api.route import Call, Route
from control.explain.answer import Answers
from control.explain.explanation import Explanation, Question
from control.explain.fate import Fate


class ExplainApi:
    """Charges nothing, changes nothing."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def _question(self, call: Call) -> Explanation:
        return await self._answers.would(call.body)

    async def _message(self, call: Call) -> Fate:
        return await self._answers.became(call.path["message"], call.query.get("tenant"))

    def routes(self) -> list[Route]:
        """All of them."""
        path = "/api/v2/explain"
        return [
            Route(
                "POST",
                path,
                "Why a message would go where it goes; charges nothing",
                self._question,
                Explanation,
                body=Question,
            ),
            Route(
                "GET",
                f"{path}/{{message}}",
                "Why a message waits, or how it ended; by message id or envelope id",
                self._message,
                Fate,
                query={"tenant": "only this tenant's"},
            ),
        ]
