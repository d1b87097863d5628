"""wecom speaks: the only place that knows WeCom's API, and the only importer of wechatpy and
requests."""

from bot.wecom.agents import Agent, Agents
from bot.wecom.archive import Agreement, Archive
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
    reason_of,
    what_to_do,
)
from bot.wecom.groups import Group, GroupMember, GroupRow, Groups
from bot.wecom.logins import Identity, Logins, Ticket, jsapi_signature, oauth_url, qr_url
from bot.wecom.messages import NOBODY_REACHED, Button, Card, MessageResult, Messages, as_data
from bot.wecom.pauses import Pause, PauseStore
from bot.wecom.tokens import Token, TokenStore
from bot.wecom.transfers import Resigned, TransferRow, Transfers, Unassigned
from bot.wecom.transport import CallRecord, SecretName, Transport


class WeCom:
    """All that Kegui says to WeCom, for one corporation; one object in each process.

    Args:
        agent_id: the app that messages come from; None: no message can be sent.
    """

    def __init__(self, transport: Transport, agent_id: int | None) -> None:
        self.transport = transport
        self.contacts = Contacts(transport)
        self.customers = Customers(transport)
        self.transfers = Transfers(transport)
        self.resigned = Resigned(transport)
        self.groups = Groups(transport)
        self.messages = Messages(transport, agent_id)
        self.contact_ways = ContactWays(transport)
        self.agents = Agents(transport)
        self.archive = Archive(transport)
        self.logins = Logins(transport)


__all__ = [
    "ABOUT_ONE",
    "NOBODY_REACHED",
    "OUT_OF_RANGE",
    "Agent",
    "Agreement",
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
    "Transport",
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
    "reason_of",
    "what_to_do",
]
