"""wecom speaks: the only place that knows WeCom's API, and the only importer of wechatpy and
requests."""

from collections.abc import Callable, Mapping

from bot.wecom.agents import Agent, Agents
from bot.wecom.archive import Archive
from bot.wecom.budgets import Budgets
from bot.wecom.contact_ways import ContactWayDetail, ContactWayMade, ContactWays
from bot.wecom.contacts import Contacts, Department, Member, User
from bot.wecom.customers import CustomerDetail, CustomerOfMember, Customers, FollowUser, Page
from bot.wecom.errors import (
    ABOUT_ONE,
    OUT_OF_RANGE,
    OperatorNeeded,
    Paused,
    Refused,
    Throttled,
    Transient,
    Unreadable,
    WeComError,
    is_out_of_reach,
    needs_operator,
    what_to_do,
)
from bot.wecom.groups import Group, GroupMember, GroupRow, Groups
from bot.wecom.logins import Identity, Logins, Ticket, jsapi_signature, oauth_url, qr_url
from bot.wecom.messages import NOBODY_REACHED, Button, Card, MessageResult, Messages, as_data
from bot.wecom.pauses import Pause, PauseStore
from bot.wecom.tokens import Token, TokenStore
from bot.wecom.transfers import TransferRow, Transfers, Unassigned
from bot.wecom.transport import CallRecord, SecretName


class WeCom(Contacts, Customers, Transfers, Groups, Messages, ContactWays, Agents, Archive, Logins):
    """All that Kegui says to WeCom, for one corporation; one object in each process."""

    def __init__(
        self,
        *,
        corp_id: str,
        secrets: Mapping[SecretName, str],
        agent_id: int | None,
        api_base: str,
        tokens: TokenStore,
        pauses: PauseStore,
        budgets: Budgets,
        timeout_seconds: float = 10.0,
        welcome_timeout_seconds: float = 5.0,
        on_call: Callable[[CallRecord], None] | None = None,
    ) -> None:
        super().__init__(
            corp_id=corp_id,
            secrets=secrets,
            api_base=api_base,
            tokens=tokens,
            pauses=pauses,
            budgets=budgets,
            timeout_seconds=timeout_seconds,
            welcome_timeout_seconds=welcome_timeout_seconds,
            on_call=on_call,
        )
        self.agent_id = agent_id


__all__ = [
    "ABOUT_ONE",
    "NOBODY_REACHED",
    "OUT_OF_RANGE",
    "Agent",
    "Budgets",
    "Button",
    "CallRecord",
    "Card",
    "ContactWayDetail",
    "ContactWayMade",
    "CustomerDetail",
    "CustomerOfMember",
    "Department",
    "FollowUser",
    "Group",
    "GroupMember",
    "GroupRow",
    "Identity",
    "Member",
    "MessageResult",
    "OperatorNeeded",
    "Page",
    "Pause",
    "PauseStore",
    "Paused",
    "Refused",
    "SecretName",
    "Throttled",
    "Ticket",
    "Token",
    "TokenStore",
    "TransferRow",
    "Transient",
    "Unassigned",
    "Unreadable",
    "User",
    "WeCom",
    "WeComError",
    "as_data",
    "is_out_of_reach",
    "jsapi_signature",
    "needs_operator",
    "oauth_url",
    "qr_url",
    "what_to_do",
]
