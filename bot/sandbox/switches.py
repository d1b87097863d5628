"""What WeCom leaves open or may change: every such point is a switch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

CHOICES: dict[str, tuple[Any, ...]] = {
    "malformed_json": ("refuse", "warn"),
    "empty_list_code": (84061, 0),
    "left_member": ("gone", "status5"),
    "second_use_code": (41051, 41050),
    "foreign_code": ("accept", "refuse"),
    "takeover_full": ("at_once", "later"),
    "in_transfer_code": (40100, 40129),
    "member_errors": ("call", "item"),
    "transfers_counted": ("completed", "started"),
    "transfer_fail_userid": ("takeover", "handover"),
    "pending_on_leave": ("continue", "drop"),
    "result_rows": ("last", "all"),
    "unasked_consent": ("omit", "Disagree", "Default_Agree"),
    "archive_service": ("on", "off", "expired"),
    "audit_door": ("archive", "customer", "both"),
    "retry_plaintext": ("same", "reordered"),
    "event_time": ("sandbox", "real"),
    "odd_characters": ("escaped", "raw"),
    "empty_lists": ("list", "null"),
    "event_characters": ("plain", "control", "reference", "nul", "broken"),
}


@dataclass
class Switches:
    """Defaults follow the official pages; where those are silent, the likelier reading."""

    # tokens
    same_token: bool = True
    new_token_ends_old: bool = False
    token_seconds: float = 7200
    wrong_secrets_before_ban: int = 5
    ban_seconds: float = 3600
    contacts_reads_details: bool = False
    # web login and tickets
    domain_needed: bool = False
    partner_corp_id: str = ""
    same_ticket: bool = True
    tickets_per_hour: int = 400
    tickets_per_hour_of_app: int = 100
    # requests
    refuse_unicode_escapes: bool = True
    malformed_json: str = "refuse"
    latency_seconds: float = 0
    date_offset_seconds: float = 0
    per_minute: int = 10_000
    per_minute_for: dict[str, int] = field(
        default_factory=lambda: {
            "msgaudit/check_single_agree": 2500,
            "msgaudit/check_room_agree": 1500,
        }
    )
    concurrency: int = 0
    concurrency_for: dict[str, int] = field(default_factory=dict)
    # answers
    odd_characters: str = "escaped"
    empty_lists: str = "list"
    # lists
    page_rows: int = 0
    empty_pages: bool = False
    empty_list_code: int = 84061
    left_member: str = "gone"
    # welcome
    code_seconds: float = 20
    second_use_code: int = 41051
    code_survives_41053: bool = True
    foreign_code: str = "accept"
    must_agree: bool = False
    # transfers
    takeover_seconds: float = 86_400
    takeover_full: str = "at_once"
    in_transfer_code: int = 40100
    member_errors: str = "call"
    transfers_counted: str = "completed"
    resigned_counts: bool = False
    transfer_events: list[str] = field(default_factory=lambda: ["del", "add"])
    transfer_fail_userid: str = "takeover"
    code_after_transfer: bool = False
    resigned_events: bool = False
    refused_is_unassigned: bool = True
    pending_on_leave: str = "continue"
    result_rows: str = "last"
    result_keep_days: int = 0
    # groups
    group_transfer_seconds: float = 0
    group_transfer_events: bool = False
    resigned_groups_without_filter: bool = False
    group_lag_seconds: float = 0
    # contact ways, messages, archive
    contact_way_cap: int = 500_000
    messages_per_minute: int = 30
    spam_words: list[str] = field(default_factory=list)
    messages_per_hour: int = 1000
    archive_service: str = "on"
    archive_delivers_refused: bool = False
    unasked_consent: str = "omit"
    # callbacks
    audit_door: str = "archive"
    unsubscribe_on_leave: bool = True
    envelope_agent_id: bool = False
    delivery_attempts: int = 3
    delivery_timeout_seconds: float = 5
    retry_interval_seconds: float = 1
    retry_non_200: bool = False
    retry_plaintext: str = "same"
    event_time: str = "sandbox"
    event_characters: str = "plain"
    timestamp_offset_seconds: float = 0

    def turn(self, wanted: Mapping[str, Any]) -> None:
        """Set some switches; all or none.

        Raises:
            ValueError: for an unknown name, a wrong type or a value that is no choice.
        """
        for name, value in wanted.items():
            self._check(name, value)
        for name, value in wanted.items():
            setattr(self, name, value)

    def _check(self, name: str, value: Any) -> None:
        if name not in {one.name for one in fields(self)}:
            raise ValueError(f"no such switch: {name}")
        if name in CHOICES and value not in CHOICES[name]:
            raise ValueError(f"{name} must be one of {CHOICES[name]}")
        present = getattr(self, name)
        is_number = isinstance(present, int | float) and not isinstance(present, bool)
        wanted_type: Any = (int, float) if is_number else type(present)
        if not isinstance(value, wanted_type) or isinstance(value, bool) != isinstance(
            present, bool
        ):
            raise ValueError(f"{name} must be like {present!r}")
