"""Members as people type them into a form: by account or by name."""

import re

from flask_babel import gettext as _

from bot.identity.people import members_called, members_of_names

# More successors than anybody names; each is looked up.
MOST = 50


class Unclear(Exception):
    """It is not clear who is meant; the text is a sentence for whoever typed it."""


def account_of(text: str) -> str | None:
    """Return the account of the member who was meant; None: no member is called so.

    Raises:
        Unclear: several are.
    """
    found = [member.userid for member in members_called(text)]
    if len(found) > 1:
        raise _several(found)
    return found[0] if found else None


def accounts_of(text: str) -> list[str]:
    """Return the accounts of several members, apart by spaces, commas or lines, each once.

    Raises:
        Unclear: too many, a name that several members have, or one that nobody has.
    """
    parts = list(dict.fromkeys(part for part in re.split(r"[\s,，、;；]+", text) if part))
    if len(parts) > MOST:
        raise Unclear(_("最多填写 %(most)s 位成员。", most=MOST))
    called = members_of_names(parts)
    accounts = []
    for part in parts:
        found = called[part]
        if not found:
            raise Unclear(_("没有名叫“%(name)s”的成员，请核对。", name=part))
        if len(found) > 1:
            raise _several(found)
        accounts.append(found[0])
    return list(dict.fromkeys(accounts))


def _several(userids: list[str]) -> Unclear:
    accounts = _("、").join(userids)
    return Unclear(_("有多位成员叫这个名字，请填写账号：%(accounts)s", accounts=accounts))
