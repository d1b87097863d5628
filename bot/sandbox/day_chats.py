"""What people say on the day of `make run`: sixty messages of many kinds, for the archive."""

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bot import private
from bot.sandbox.remote import Remote

KEY_FOLDER = "archive-keys"
PURPOSE = "the day of make run"
# The smallest picture there is.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TALK = (
    ("zhangsan", "您好，我是您的客户经理张三，请问有什么可以帮您？"),
    (None, "你好，我想了解一下这只基金的申购费"),
    ("zhangsan", "这只基金属于 R3 中等风险，申购前请先完成风险测评"),
    (None, "能保证收益吗"),
    ("zhangsan", "基金有风险，不承诺保本，也不保证收益"),
    (None, "好的，我再看看资料"),
)
LOUD = "这款产品内部名额有限，您把钱转到我卡上，我帮您操作"


def make_key(folder: Path, version: int) -> str:
    """Make the firm's private key of a version where Kegui looks for it; returns the public one."""
    private.make_folder(folder)
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with private.open_file(folder / f"{version}.pem.new", "wb") as file:
        file.write(pem)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


def put_key(folder: Path, version: int) -> None:
    """Let the key of a version lie where Kegui reads it."""
    (folder / f"{version}.pem.new").replace(folder / f"{version}.pem")


class Chats:
    """The messages of the day, sent through the sandbox's archive."""

    def __init__(self, sandbox: Remote) -> None:
        self._sandbox = sandbox
        self.sent = 0

    def say(self, *messages: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self._sandbox.post("/sandbox/archive/messages", messages=list(messages))
        said = [one for one in answer["messages"] if one]
        self.sent += len(said)
        return said

    def text(self, sender: str, to: str, content: str, **more: Any) -> dict[str, Any]:
        said = {"from": sender, "tolist": [to], "msgtype": "text", "text": {"content": content}}
        return said | more

    def play(self, group: str, count: int) -> None:
        """Say what makes ``count`` messages in all, with those of before."""
        self._talk("zhangsan", "wm_00")
        self._talk("lisi", "wm_08")
        self._talk("sunqi", "wm_30")
        [wrong] = self.say(self.text("wangwu", "wm_14", LOUD))
        recall = {"from": "wangwu", "tolist": ["wm_14"], "action": "recall", "msgtype": "revoke"}
        self.say(recall | {"revoke": {"pre_msgid": wrong["msgid"]}})
        self._files()
        self._kinds()
        for number in range(3):
            to = ["sunqi", "wm_12"] if number else ["wm_12"]
            said = self.text("wangwu", "wm_12", f"沙龙群通知第{number + 1}条：周五下午两点开始")
            self.say(said | {"roomid": group, "tolist": to})
        while self.sent < count:
            self.say(self.text("zhouba", "wm_36", f"提醒您：第{self.sent}期产品将于本周到期"))

    def _talk(self, member: str, customer: str) -> None:
        for who, content in TALK:
            sender, to = (customer, member) if who is None else (member, customer)
            self.say(self.text(sender, to, content))

    def _files(self) -> None:
        content = base64.b64encode(PICTURE).decode()
        picture = self._sandbox.post("/sandbox/archive/files", content=content)
        to = {"from": "wm_01", "tolist": ["zhangsan"]}
        self.say(to | {"msgtype": "image", "image": picture})
        named = {"filename": "风险揭示书.pdf", "fileext": "pdf"}
        self.say(to | {"msgtype": "file", "file": picture | named})
        nested = json.dumps(picture)
        parts = [
            {"type": "text", "content": json.dumps({"content": "看这张图"}, ensure_ascii=False)},
            {"type": "image", "content": nested},
        ]
        self.say(to | {"msgtype": "mixed", "mixed": {"item": parts}})

    def _kinds(self) -> None:
        to = {"from": "zhangsan", "tolist": ["wm_00"]}
        forwarded = [
            {
                "type": "ChatRecordText",
                "msgtime": 1795391400,
                "content": json.dumps({"content": one}, ensure_ascii=False),
            }
            for one in ("第一句：请看公告", "第二句：已经看过")
        ]
        bodies: dict[str, dict[str, Any]] = {
            "link": {
                "title": "产品公告",
                "description": "点击查看",
                "link_url": "https://a.invalid/",
            },
            "location": {"title": "浦东网点", "address": "上海市浦东新区", "zoom": 15},
            "card": {"corpname": "微信联系人", "userid": "wm_00"},
            "weapp": {"title": "服务须知", "description": "客户需同意存档聊天记录"},
            "redpacket": {"type": 1, "wish": "恭喜发财", "totalcnt": 1, "totalamount": 100},
            "chatrecord": {"title": "群聊", "item": forwarded},
            "todo": {"title": "待办", "content": "本周回访客户"},
            "brand_new_type": {"anything": "以后才有的类型"},
        }
        for kind, body in bodies.items():
            self.say(to | {"msgtype": kind, kind: body})


def everything(api: Remote) -> list[dict[str, Any]]:
    """Return the whole feed of the archive."""
    items: list[dict[str, Any]] = []
    after: str | None = "0"
    while after is not None:
        page = api.get("/archive/messages", after_seq=after, limit=200)
        items, after = items + page["items"], page["next_cursor"]
    return items
