"""WeCom's refusals: a code, and words that nobody should read (path 90313)."""

import secrets
from typing import Any

WORDS = {
    -1: "system busy",
    40001: "invalid credential",
    40003: "invalid userid",
    40008: "invalid message type",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40029: "invalid code",
    40033: "invalid charset, please check your request",
    40035: "invalid parameter",
    40050: "chatid not exist",
    40056: "invalid agentid",
    40058: "invalid Request Parameter",
    40063: "some parameters are empty",
    40066: "invalid party list",
    40096: "invalid external userid",
    40097: "user not resigned",
    40098: "user not real-name verified",
    40099: "external contact count limit",
    40100: "external contact already transferring",
    40128: "transfer too frequently",
    40129: "customer in transferring",
    40130: "handover equals takeover",
    40131: "handover user is not follow user",
    40143: "transfer user is banned",
    40205: "wx ticket of member expired",
    40201: "blocked by anti-spam",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "secret missing",
    41009: "userid missing",
    41011: "agentid missing",
    41035: "external_userid missing",
    41043: "config_id missing",
    41044: "invalid config_id",
    41049: "welcome_code missing",
    41050: "invalid welcome code",
    41051: "externaluser has started chatting",
    41053: "externaluser not agreed msg audit",
    41054: "user not active",
    41096: "welcome msg is being distributed",
    42001: "access_token expired",
    42014: "invalid task_id",
    42015: "task of another app",
    42027: "invalid template_card",
    44004: "empty content",
    45002: "content size out of limit",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    45035: "concurrent operation conflict",
    48002: "api forbidden",
    48009: "api forbidden for contacts sync from this ip",
    49008: "chat has been dismissed",
    50001: "redirect_url not a trusted domain",
    50003: "app disabled",
    50100: "invalid cursor",
    60020: "not allow to access from your ip",
    50002: "user not in permission range",
    60011: "no privilege to access/modify contact/party/agent",
    60021: "userid not in visible range",
    60111: "userid not found",
    60140: "invalid response_code",
    81012: "user & party & tag are all empty",
    81013: "user & party & tag all invalid",
    81017: "request count exceed",
    82002: "too many parties",
    82003: "too many tags",
    82101: "no target to update",
    82102: "no target is a recipient",
    84061: "not external contact",
    90500: "the owner of this chat is not resigned",
    90501: "chat is not external group chat",
    90502: "the owner of this chat is resigned",
    90504: "owner not changed",
    90507: "resigned chat is in transfer",
    90508: "resigned chat has been inherited",
    301002: "not allowed to operate agent with specified token",
    301052: "msg audit expired",
    301053: "msg audit not open",
    301060: "too many agree queries",
}


class Refusal(Exception):
    """What WeCom answers instead of doing it."""

    def __init__(self, errcode: int, note: str = "") -> None:
        super().__init__(f"{errcode} {note}")
        self.errcode = errcode
        self.note = note


def words_for(errcode: int) -> str:
    """Return the short words of a code, as they stand in failed_chat_list."""
    return WORDS.get(errcode, "refused")


def error_answer(errcode: int, now: float, address: str, note: str = "") -> dict[str, Any]:
    """Build the body of a refusal; the hint differs each time, as WeCom's does."""
    hint = f"[{int(now)}_28_{secrets.token_hex(8)}]"
    text = words_for(errcode) + (f", {note}" if note else "")
    return {
        "errcode": errcode,
        "errmsg": f"{text}, hint: {hint}, from ip: {address}, "
        f"more info at https://open.work.weixin.qq.com/devtool/query?e={errcode}",
    }
