"""Who looks after a new customer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from bot.staff.candidate import Candidate


@dataclass(frozen=True)
class Rule:
    """One rule of ``config/allocation.toml``; no departments and no userids: everybody."""

    name: str
    channels: Sequence[str] = ("*",)
    departments: Sequence[int] = ()
    userids: Sequence[str] = ()
    transfer: bool = False

    def covers(self, channel: str) -> bool:
        return any(fnmatchcase(channel, pattern) for pattern in self.channels)

    def allows(self, candidate: Candidate) -> bool:
        if not self.departments and not self.userids:
            return True
        return candidate.userid.lower() in self._named or bool(
            set(self.departments) & set(candidate.departments)
        )

    @cached_property
    def _named(self) -> frozenset[str]:
        """WeCom does not tell upper from lower case in a userid; asked of every member in turn."""
        return frozenset(userid.lower() for userid in self.userids)


@dataclass(frozen=True)
class Decision:
    """The owner and why; ``transfer`` says that WeCom must move the customer first."""

    owner: str | None
    reason: str
    rule: str | None
    transfer: bool = False
    excluded: Sequence[tuple[str, str]] = ()


def rules_from(table: Mapping[str, Any]) -> list[Rule]:
    """Read the rules of the allocation table.

    Raises:
        TypeError: a rule has a key that no rule has.
    """
    return [Rule(**entry) for entry in table.get("rule", [])]


def first_contact(userids: Sequence[str], candidates: Sequence[Candidate]) -> str | None:
    """Return the first of these members who may own customers, or None.

    Somebody who serves the customer already keeps them, room or not.
    """
    fit = {candidate.userid for candidate in candidates if not candidate.unfit}
    return next((userid for userid in userids if userid in fit), None)


def choose_owner(
    channel: str, added_userid: str, rules: Sequence[Rule], candidates: Sequence[Candidate]
) -> Decision:
    """Choose the owner of a customer whom nobody owns yet.

    The first rule that covers the channel decides. The member whom the customer added is the
    owner when the rule allows them, they are fit and have room: the customer's scan has made
    that relation already. Otherwise, and only where the rule says ``transfer``, the least loaded
    of the allowed gets the customer; ties go to the userid that sorts first, so that the same
    facts always give the same owner. Else there is no owner, and a manager decides.
    """
    rule = next((rule for rule in rules if rule.covers(channel)), None)
    if rule is None:
        return Decision(None, "no rule covers this channel", None)
    excluded = tuple(
        (candidate.userid, why)
        for candidate in candidates
        if (why := candidate.exclusion or ("" if rule.allows(candidate) else "not in the rule"))
    )
    barred = dict(excluded)
    free = [candidate for candidate in candidates if candidate.userid not in barred]
    if any(candidate.userid == added_userid for candidate in free):
        return Decision(added_userid, "the added member is eligible", rule.name, False, excluded)

    why = barred.get(added_userid, "unknown member")
    if not rule.transfer:
        return Decision(
            None, f"the added member is not eligible: {why}", rule.name, False, excluded
        )
    if not free:
        return Decision(None, "nobody allowed has room", rule.name, False, excluded)
    chosen = min(free, key=lambda candidate: (candidate.customers, candidate.userid))
    return Decision(
        chosen.userid,
        f"the added member is not eligible ({why}); least loaded of the rule",
        rule.name,
        True,
        excluded,
    )
