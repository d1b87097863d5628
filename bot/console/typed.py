"""Members as people type them into a form: by account or by name."""

import re

from flask_babel import gettext as _

from bot.reports.people import members_called


class Unclear(Exception):
    """Several members are called so; the text is a sentence for whoever typed it."""


def account_of(text: str) -> str | None:
    """Return the account of the member who was meant; None: no member is called so.

    Raises:
        Unclear: several are.
    """
    found = members_called(text)
    if len(found) > 1:
        accounts = _("、").join(member.userid for member in found)
        raise Unclear(_("有多位成员叫这个名字，请填写账号：%(accounts)s", accounts=accounts))
    return found[0].userid if found else None


def accounts_of(text: str) -> list[str]:
    """Return the accounts of several members, apart by spaces, commas or lines, each once; what
    is nobody's name stays as it was typed.

    Raises:
        Unclear: several members have one of the names.
    """
    parts = [part for part in re.split(r"[\s,，、;；]+", text) if part]
    return list(dict.fromkeys(account_of(part) or part for part in parts))
