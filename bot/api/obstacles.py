"""Why a handover cannot be opened or decided: what actions write in English, in both languages."""

from typing import NamedTuple

from bot.models.handover import CANCELLED, DONE, DONE_WITH_EXCEPTIONS


class Texts(NamedTuple):
    """A sentence as a problem of the API has it."""

    chinese: str
    english: str


# What ``UnfitSuccessor`` gives as its reason.
UNFIT = {
    "full": Texts("客户数已满", "has no room for another customer"),
    "has no 客户联系": Texts("没有客户联系权限", "may not serve customers in WeCom"),
    "hands over and takes over at once": Texts("正是要交接的成员", "is the member who hands over"),
    "is leaving": Texts("即将离职", "is leaving"),
    "not an active member": Texts("不是在职成员", "is not an active member"),
    "on leave or off duty": Texts("休假或不当班", "is on leave or off duty"),
    "unknown member": Texts("未知成员", "is not known"),
}
# What ``NotPossible`` says.
TOO_LATE = {
    "the handover has begun or ended in this moment": Texts(
        "交接刚刚开始或结束", "it has begun or ended in this moment"
    ),
    "the handover is running: its day cannot change any more": Texts(
        "交接已开始，不能再改日期", "it is running, and its day cannot change any more"
    ),
    "the member has left: open an offboarding": Texts(
        "该成员已离职，请发起离职继承", "the member has left: open an offboarding"
    ),
    f"the handover is {CANCELLED}": Texts("交接已取消", "it is cancelled"),
    f"the handover is {DONE}": Texts("交接已完成", "it is done"),
    f"the handover is {DONE_WITH_EXCEPTIONS}": Texts(
        "交接已完成，部分客户未能转出", "it is done, with exceptions"
    ),
}


def unfit(reason: str) -> Texts:
    """Why a successor cannot take over."""
    return UNFIT.get(reason, Texts("不符合条件", "does not fit"))


def too_late(reason: str) -> Texts:
    """Why a handover does not allow something in its state."""
    return TOO_LATE.get(reason, Texts("交接状态不符", "its state is another"))
