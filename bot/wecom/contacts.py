"""Departments and members (通讯录)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.wecom.answers import name_in, number, numbers, rows, text, texts
from bot.wecom.errors import OperatorNeeded, Paused, Refused
from bot.wecom.transport import SecretName, Transport


@dataclass(frozen=True)
class Department:
    """``leaders`` None and an empty name: WeCom gave only the tree."""

    id: int
    name: str
    parent_id: int
    leaders: tuple[str, ...] | None


@dataclass(frozen=True)
class Member:
    userid: str
    name: str
    departments: tuple[int, ...]


@dataclass(frozen=True)
class User:
    """A member's details; ``status``: 1 active, 2 disabled, 4 not activated, 5 left.

    ``unsaid``: fields that the answer lacks, as WeCom leaves out what the app may not see; they say
    nothing.
    """

    userid: str
    name: str
    departments: tuple[int, ...]
    main_department: int | None
    is_leader_in: tuple[int, ...]
    direct_leader: str | None
    status: int
    unsaid: frozenset[str] = frozenset()

    @property
    def facts(self) -> dict[str, object]:
        """What WeCom said of the member, but for whom they lead."""
        known: dict[str, object] = {
            "name": self.name,
            "departments": list(self.departments),
            "main_department": self.main_department,
            "direct_leader": self.direct_leader,
            "status": self.status,
        }
        return {name: value for name, value in known.items() if name not in self.unsaid}


@dataclass
class Contacts:
    """What the app may read of the corporation's own people."""

    transport: Transport

    def departments(self) -> list[Department]:
        """Read all departments the app may see (path 90208); where that is refused, only the
        tree (path 95350)."""
        try:
            listed = list(rows(self.transport.read("department/list"), "department", "id"))
        except (Refused, OperatorNeeded, Paused) as error:
            if isinstance(error, Paused) and not error.needs_operator:
                raise
            listed = self.department_tree("app")
        return [
            Department(
                id=number(row, "id"),
                name=name_in(row),
                parent_id=number(row, "parentid"),
                leaders=_leaders(row),
            )
            for row in listed
        ]

    def department_tree(self, secret_name: SecretName) -> list[dict[str, Any]]:
        """Read ids and parents; the contacts secret may read no more (path 95350)."""
        answer = self.transport.read("department/simplelist", secret_name=secret_name)
        return list(rows(answer, "department_id", "id"))

    def members_of(self, department_id: int) -> list[Member]:
        """Read the direct members of one department (path 90200)."""
        answer = self.transport.read("user/simplelist", {"department_id": department_id})
        return [
            Member(text(row, "userid"), name_in(row), numbers(row, "department"))
            for row in rows(answer, "userlist", "userid")
        ]

    def user(self, userid: str) -> User:
        """Read one member (path 90196).

        Raises:
            Refused: 60111: the member is gone, or out of the app's visible range.
        """
        return _user(self.transport.read("user/get", {"userid": userid}), userid)


def _user(row: Mapping[str, Any], userid: str) -> User:
    departments = numbers(row, "department")
    flags = numbers(row, "is_leader_in_dept")
    leaders = texts(row, "direct_leader")
    said = {
        "name": bool(row.get("name")),
        "departments": row.get("department") is not None,
        "main_department": bool(row.get("main_department")),
        "direct_leader": row.get("direct_leader") is not None,
        "status": row.get("status") is not None,
        # One for each department, in the same order (path 90196).
        "is_leader_in": row.get("is_leader_in_dept") is not None and len(flags) == len(departments),
    }
    return User(
        userid=text(row, "userid", userid),
        name=name_in(row),
        departments=departments,
        main_department=number(row, "main_department") or None,
        is_leader_in=tuple(
            department for department, flag in zip(departments, flags, strict=False) if flag
        ),
        direct_leader=leaders[0] if leaders else None,
        status=number(row, "status", 1),
        unsaid=frozenset(name for name, is_said in said.items() if not is_said),
    )


def _leaders(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    if row.get("department_leader") is None:
        return None
    return tuple(texts(row, "department_leader"))
