"""The app itself, as WeCom's administrators set it up."""

from dataclasses import dataclass

from bot.wecom.answers import numbers, part, rows, text, texts
from bot.wecom.transport import Transport


@dataclass(frozen=True)
class Agent:
    """``visible_*``: the app's visible range (可见范围), as it was set and not expanded."""

    name: str
    is_disabled: bool
    visible_userids: tuple[str, ...]
    visible_departments: tuple[int, ...]
    visible_tags: tuple[int, ...]

    @property
    def sees_nobody(self) -> bool:
        return not (self.visible_userids or self.visible_departments or self.visible_tags)


@dataclass
class Agents:
    """What an app may read of itself."""

    transport: Transport

    def get(self, agent_id: int) -> Agent:
        """Read the app that the token belongs to (path 90227).

        Raises:
            OperatorNeeded: 301002, 40056: the token belongs to another app.
        """
        answer = self.transport.read("agent/get", {"agentid": agent_id})
        users = rows(part(answer, "allow_userinfos"), "user", "userid")
        return Agent(
            name=text(answer, "name"),
            is_disabled=answer.get("close") == 1,
            visible_userids=tuple(text(one, "userid") for one in users),
            visible_departments=numbers(part(answer, "allow_partys"), "partyid"),
            visible_tags=numbers(part(answer, "allow_tags"), "tagid"),
        )

    def callback_addresses(self) -> list[str]:
        """Read from which addresses callbacks come; any app may (path 90930)."""
        return texts(self.transport.read("getcallbackip"), "ip_list")
