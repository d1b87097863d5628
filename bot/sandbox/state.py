"""Everything the sandbox knows: one corporation, held in memory under one lock."""

import heapq
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bot.sandbox.clock import Clock
from bot.sandbox.journal import Journal
from bot.sandbox.switches import Switches

FULL, HALF = "full", "half"
DELETED_BY_MEMBER, DELETED_BY_CUSTOMER = "deleted_by_member", "deleted_by_customer"
TRANSFERRED = "transferred"


@dataclass
class App:
    """A secret and what it may do; ``kind`` is app, contacts or archive.

    ``trusted_ips`` (企业可信IP): from where it may call, empty: from everywhere; ``forbidden``:
    shell patterns of the endpoints that an administrator did not allow it; ``trusted_domain``
    (可信域名): the host, with its port, to which a login may lead.
    """

    kind: str
    secret: str
    agent_id: int = 0
    enabled: bool = True
    trusted_ips: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)
    trusted_domain: str = ""


@dataclass
class Grant:
    """What an access token stands for."""

    app: App
    expires_at: float
    revoked: bool = False


@dataclass
class Login:
    """What a code of the web login stands for; ``agent_id`` 0: its page named no app."""

    agent_id: int
    host: str
    userid: str
    external_userid: str
    is_private: bool
    born_at: float
    is_spent: bool = False


@dataclass
class Ticket:
    """A jsapi_ticket; ``agent_id`` 0: the corporation's and no app's."""

    agent_id: int
    expires_at: float


@dataclass
class Department:
    id: int
    name: str
    parentid: int = 0
    order: int = 0
    department_leader: list[str] = field(default_factory=list)
    name_en: str = ""


@dataclass
class Member:
    """``status``: 1 active, 2 disabled, 4 not activated, 5 left (path 90196); ``errcode``: with
    which calls about this member are refused, whatever the lists show."""

    userid: str
    name: str
    departments: list[int]
    main_department: int
    is_leader_in_dept: list[int]
    direct_leader: list[str]
    last_login: float
    position: str = ""
    follow: bool = True
    verified: bool = True
    banned: bool = False
    visible: bool = True
    customer_limit: int | None = None
    status: int = 1
    deleted: bool = False
    left_at: float | None = None
    errcode: int = 0

    @property
    def in_service(self) -> bool:
        return self.left_at is None


@dataclass
class Relation:
    """One member and one customer; ended relations are kept with the way they ended."""

    userid: str
    external_userid: str
    createtime: int
    status: str = FULL
    state: str = ""
    add_way: int = 1
    oper_userid: str = ""
    remark: str = ""
    description: str = ""
    remark_corp_name: str = ""
    remark_mobiles: list[str] = field(default_factory=list)
    must_agree: bool = False
    consent: str = ""
    consent_at: int = 0
    is_chatting: bool = False
    is_welcomed: bool = False
    half_code_used: bool = False

    @property
    def is_usable(self) -> bool:
        # A customer who deleted the member leaves a one-way relation that the API still serves.
        return self.status in (FULL, DELETED_BY_CUSTOMER)


@dataclass
class Customer:
    """``type``: 1 WeChat, 2 WeCom; relations by lower-case userid."""

    external_userid: str
    name: str
    type: int = 1
    relations: dict[str, Relation] = field(default_factory=dict)
    handed_over_by: set[str] = field(default_factory=set)


@dataclass
class WelcomeCode:
    code: str
    userid: str
    external_userid: str
    agent_id: int
    born_at: float
    is_half: bool = False
    is_spent: bool = False
    busy_until: float = 0.0


@dataclass
class Transfer:
    """``status``: 1 done, 2 waiting, 3 refused, 4 takeover member full."""

    handover: str
    takeover: str
    external_userid: str
    is_resigned: bool
    started_at: float
    due_at: float
    status: int = 2
    ended_at: float = 0.0


@dataclass
class Group:
    """``status``: 0 normal, 1 owner left, 2 being inherited, 3 inherited."""

    chat_id: str
    name: str
    owner: str
    create_time: int
    members: list[str]
    admins: list[str] = field(default_factory=list)
    notice: str = ""
    status: int = 0
    is_dismissed: bool = False
    is_internal: bool = False
    onjob_transfers: list[float] = field(default_factory=list)
    consents: dict[str, tuple[str, int]] = field(default_factory=dict)
    shown_before: dict[str, Any] = field(default_factory=dict)
    shown_until: float = 0


@dataclass
class ContactWay:
    config_id: str
    agent_id: int
    created_at: int
    qr_code: str
    settings: dict[str, Any]


@dataclass
class Card:
    """``keys`` of the buttons that call back; ``answers``: what stands in their place, for whom."""

    task_id: str
    card_type: str
    agent_id: int
    recipients: list[str]
    keys: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)


@dataclass
class ResponseCode:
    """Changes a card, once."""

    card: Card
    ends_at: float


@dataclass(frozen=True)
class ArchivedRow:
    """A row of GetChatData, and when it came."""

    seq: int
    at: float
    row: dict[str, Any]


@dataclass
class ArchiveBook:
    """What the archive of the corporation holds."""

    keys: list[RSAPublicKey] = field(default_factory=list)
    rows: list[ArchivedRow] = field(default_factory=list)
    files: dict[str, tuple[float, bytes]] = field(default_factory=dict)
    count: int = 0
    noticed_at: float = float("-inf")


@dataclass
class Delivery:
    """How a callback is to be sent; ``create_time`` fixes the event's second, ``without`` names
    nodes that are left out."""

    times: int = 1
    delay_seconds: float = 0.0
    drop: bool = False
    create_time: int | None = None
    without: list[str] = field(default_factory=list)


@dataclass
class Door:
    """Where the callbacks of one kind go: customer, contacts or archive."""

    url: str
    token: str
    aes_key: str


Fields = list[tuple[str, Any]]
Send = Callable[[str, Fields, Delivery, int], None]


class World:
    """The platform's state; whoever reads or changes it holds ``lock``."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.clock = Clock()
        self.journal = Journal()
        self.send: Send = lambda door, fields, delivery, event_seq: None
        self._clear()

    def _clear(self) -> None:
        self.generation = getattr(self, "generation", 0) + 1
        self.switches = Switches()
        self.corp_id = ""
        self.apps: list[App] = []
        self.doors: dict[str, Door] = {}
        self.grants: dict[str, Grant] = {}
        self.logins: dict[str, Login] = {}
        self.tickets: dict[str, Ticket] = {}
        self.wrong_secrets: dict[str, int] = {}
        self.banned_until: dict[str, float] = {}
        self.departments: dict[int, Department] = {}
        self.members: dict[str, Member] = {}
        self.customers: dict[str, Customer] = {}
        self.by_member: dict[str, dict[str, Relation]] = {}
        self.codes: dict[str, WelcomeCode] = {}
        self.transfers: list[Transfer] = []
        self.waiting: dict[str, Transfer] = {}
        self.transfers_of: dict[str, list[Transfer]] = {}
        self.groups: dict[str, Group] = {}
        self.groups_taken: dict[tuple[str, int], int] = {}
        self.archive = ArchiveBook()
        self.ways: dict[str, ContactWay] = {}
        self.cards: dict[str, Card] = {}
        self.response_codes: dict[str, ResponseCode] = {}
        self.messages_seen: dict[str, float] = {}
        self.messages_to: dict[tuple[int, str], list[float]] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._agenda_count = 0

    def reset(
        self,
        corp_id: str,
        apps: list[App],
        doors: dict[str, Door],
        switches: Mapping[str, Any],
    ) -> None:
        """Begin anew with one corporation; the clock returns to real time."""
        turned = Switches()
        turned.turn(switches)
        with self.lock:
            self._clear()
            self.clock.reset()
            self.journal.clear()
            self.corp_id = corp_id
            self.apps = apps
            self.doors = doors
            self.switches = turned

    def now(self) -> float:
        return self.clock.now()

    def later(self, due: float, act: Callable[[], None]) -> None:
        """Do something when the sandbox's clock reaches ``due``."""
        self._agenda_count += 1
        heapq.heappush(self._agenda, (due, self._agenda_count, act))

    def settle(self) -> int:
        """Do all that has become due, in order; return how much that was."""
        done = 0
        with self.lock:
            while self._agenda and self._agenda[0][0] <= self.now():
                _, _, act = heapq.heappop(self._agenda)
                act()
                done += 1
        return done

    def record(self, effect: str, **what: Any) -> None:
        """Note an effect that was really executed."""
        self.journal.write("executed", self.now(), effect=effect, **what)

    def app_agent_id(self) -> int:
        """Return the agentid of the first self-built app, whose door gets customer events."""
        return next((app.agent_id for app in self.apps if app.kind == "app"), 0)

    def dump(self) -> dict[str, Any]:
        """Return everything but secrets and tokens."""
        with self.lock:
            return {
                "corp_id": self.corp_id,
                "now": self.now(),
                "switches": asdict(self.switches),
                "apps": [
                    {name: value for name, value in asdict(app).items() if name != "secret"}
                    for app in self.apps
                ],
                "callbacks": {name: {"url": door.url} for name, door in self.doors.items()},
                "departments": [asdict(one) for one in self.departments.values()],
                "staff": [asdict(one) for one in self.members.values()],
                "customers": [
                    {
                        "external_userid": one.external_userid,
                        "name": one.name,
                        "type": one.type,
                        "relations": [asdict(relation) for relation in one.relations.values()],
                        "handed_over_by": sorted(one.handed_over_by),
                    }
                    for one in self.customers.values()
                ],
                "transfers": [asdict(one) for one in self.transfers],
                "groups": [asdict(one) for one in self.groups.values()],
                "contact_ways": [asdict(one) for one in self.ways.values()],
                "cards": [asdict(one) for one in self.cards.values()],
            }
