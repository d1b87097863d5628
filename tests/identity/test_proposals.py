"""Maker and checker, on both databases: whoever else slips, the database holds them apart."""

from concurrent.futures import Future
from threading import Barrier
from typing import Any, cast

import peewee
import pytest

from bot import db
from bot.audit.log import Who
from bot.db import database, transaction
from bot.identity import proposals
from bot.identity.proposals import AlreadyProposed, NotOpen, SamePerson
from bot.kegui import Kegui
from bot.models import AuditEntry, Proposal
from bot.queue import Queue
from bot.vault import Vault
from config import settings
from tests.conftest import in_thread
from tests.console.conftest import DATA_KEY, MORNING

MAKER, CHECKER, OTHER = Who("maker"), Who("checker"), Who("other")
KIND, SUBJECT = "offboarding", "offboarding 7"


@pytest.fixture
def kegui(store: str) -> Kegui:
    loaded = settings.load({"KEGUI_DATABASE_URL": store, "KEGUI_CORP_ID": "ww1"})
    return Kegui(loaded, cast(Any, None), Queue(store), Vault(DATA_KEY))


@pytest.fixture
def proposal(kegui: Kegui) -> Proposal:
    return propose(kegui)


def propose(kegui: Kegui, by: Who = MAKER, subject: str = SUBJECT, **terms: Any) -> Proposal:
    with transaction():
        return proposals.propose(KIND, subject, by, kegui, reason="因为", **terms)


def acts() -> list[tuple[str, str]]:
    return [(row.act, row.actor) for row in AuditEntry.select().order_by(AuditEntry.id)]


def kept(proposal: Proposal) -> tuple[str, str | None]:
    row = Proposal.get_by_id(proposal.id)
    return row.state, row.decided_by


def test_another_person_decides_and_gets_the_terms(kegui: Kegui) -> None:
    proposal = propose(kegui, last_day="2026-11-30")

    with transaction():
        terms = proposals.approve(proposal, CHECKER, kegui, "好")

    assert terms == {"last_day": "2026-11-30"}
    assert kept(proposal) == ("approved", "checker")
    assert acts() == [("offboarding.propose", "maker"), ("offboarding.approve", "checker")]


@pytest.mark.parametrize("decide", [proposals.approve, proposals.reject])
def test_nobody_decides_on_their_own(kegui: Kegui, proposal: Proposal, decide: Any) -> None:
    with pytest.raises(SamePerson), transaction():
        decide(proposal, MAKER, kegui, "好")

    assert kept(proposal) == ("open", None)
    assert acts() == [("offboarding.propose", "maker")]


@pytest.mark.parametrize("state", ["approved", "rejected"])
def test_the_database_itself_refuses_that_the_maker_decides(proposal: Proposal, state: str) -> None:
    with pytest.raises(peewee.IntegrityError), transaction():
        database.execute_sql(f"UPDATE proposal SET state = '{state}', decided_by = proposed_by")

    assert kept(proposal) == ("open", None)


# Who stands behind the token that proposes, and behind the one that decides.
SAME_HUMANS = [
    ({"anna"}, {"anna"}),
    ({"anna", "bert"}, {"bert"}),
    ({"bert"}, {"anna", "bert"}),
    ({"anna", "bert"}, {"bert", "carl"}),
]


@pytest.mark.parametrize(("made_by", "decided_by"), SAME_HUMANS)
def test_one_human_under_two_names_is_refused(
    kegui: Kegui, made_by: set[str], decided_by: set[str]
) -> None:
    proposal = propose(kegui, Who("api:one", humans=frozenset(made_by)))

    with pytest.raises(SamePerson), transaction():
        proposals.approve(proposal, Who("api:other", humans=frozenset(decided_by)), kegui)

    assert kept(proposal) == ("open", None)


@pytest.mark.parametrize(("made_by", "decided_by"), SAME_HUMANS)
def test_the_database_itself_refuses_one_human_under_two_names(
    kegui: Kegui, made_by: set[str], decided_by: set[str]
) -> None:
    proposal = propose(kegui, Who("api:one", humans=frozenset(made_by)))
    decider, decider_too = [*sorted(decided_by), None][:2]

    with pytest.raises(peewee.IntegrityError), transaction():
        Proposal.update(
            state="approved", decided_by="api:other", decider=decider, decider_too=decider_too
        ).execute()

    assert kept(proposal) == ("open", None)


@pytest.mark.parametrize(
    ("made_by", "decided_by"),
    [({"anna"}, {"bert"}), ({"anna", "bert"}, {"carl", "dora"}), ({"anna"}, set()), (set(), set())],
)
def test_other_humans_and_systems_decide(
    kegui: Kegui, made_by: set[str], decided_by: set[str]
) -> None:
    proposal = propose(kegui, Who("api:one", humans=frozenset(made_by)))

    with transaction():
        proposals.approve(proposal, Who("api:other", humans=frozenset(decided_by)), kegui)

    assert kept(proposal) == ("approved", "api:other")


@pytest.mark.parametrize("state", ["approved", "rejected"])
def test_the_database_refuses_a_decision_of_nobody(proposal: Proposal, state: str) -> None:
    with pytest.raises(peewee.IntegrityError), transaction():
        database.execute_sql(f"UPDATE proposal SET state = '{state}'")

    assert kept(proposal) == ("open", None)


def test_the_database_refuses_it_in_two_steps_as_well(kegui: Kegui, proposal: Proposal) -> None:
    with transaction():
        proposals.withdraw(proposal, MAKER, kegui)

    with pytest.raises(peewee.IntegrityError), transaction():
        database.execute_sql("UPDATE proposal SET state = 'approved'")

    assert kept(proposal) == ("withdrawn", "maker")


def test_the_database_refuses_another_name_for_the_maker_of_what_is_decided(
    kegui: Kegui, proposal: Proposal
) -> None:
    with transaction():
        proposals.approve(proposal, CHECKER, kegui)

    with pytest.raises(peewee.IntegrityError), transaction():
        database.execute_sql("UPDATE proposal SET proposed_by = 'checker'")


# What somebody tries who acts as the application does.
ATTACKS = {
    "another maker": "UPDATE proposal SET proposed_by = 'other'",
    "another maker, and decided": (
        "UPDATE proposal SET proposed_by = 'other', state = 'approved', decided_by = 'maker'"
    ),
    "other terms": """UPDATE proposal SET terms = '{"role": "auditor"}'""",
    "no terms": "UPDATE proposal SET terms = '{}'",
    "another kind": "UPDATE proposal SET kind = 'role.grant'",
    "another subject": "UPDATE proposal SET subject = 'offboarding 8'",
    "another person behind the maker": "UPDATE proposal SET proposer = 'other'",
    "nobody behind the maker": "UPDATE proposal SET proposer = NULL",
    "a second person behind the maker": "UPDATE proposal SET proposer_too = 'other'",
    "another time": "UPDATE proposal SET proposed_at = '2026-01-01 00:00:00+00'",
    "another reason": "UPDATE proposal SET reason = 'x'",
    "another number": "UPDATE proposal SET id = 99",
    "removed": "DELETE FROM proposal",
}
COLUMNS = (
    "(id, kind, subject, terms, state, proposed_by, proposed_at, reason, decided_by, decided_at,"
    " decision_reason)"
)
ON_SQLITE = {
    "another row number": "UPDATE proposal SET rowid = 99",
    "replaced": (
        f"INSERT OR REPLACE INTO proposal {COLUMNS} SELECT id, kind, subject, terms, state,"
        " 'other', proposed_at, reason, decided_by, decided_at, decision_reason FROM proposal"
    ),
    "changed where it is in the way": (
        "INSERT INTO proposal SELECT * FROM proposal WHERE true"
        " ON CONFLICT (id) DO UPDATE SET proposed_by = 'other'"
    ),
}
INSTEAD_OF_AN_OPEN_ONE = {
    "replaced by a new one": (
        f"INSERT OR REPLACE INTO proposal {COLUMNS} SELECT 99, kind, subject, terms, 'open',"
        " 'other', proposed_at, reason, NULL, NULL, '' FROM proposal"
    ),
    "replaced by one without a number": (
        "REPLACE INTO proposal (kind, subject, terms, state, proposed_by, proposed_at, reason,"
        " decision_reason) SELECT kind, subject, terms, 'open', 'other', proposed_at, reason, ''"
        " FROM proposal"
    ),
}
ON_POSTGRES = {
    "emptied": "TRUNCATE proposal",
    "changed where it is in the way": (
        "INSERT INTO proposal SELECT * FROM proposal"
        " ON CONFLICT (id) DO UPDATE SET proposed_by = 'other'"
    ),
}
AFTER_THE_DECISION = {
    "decided otherwise": "UPDATE proposal SET state = 'rejected'",
    "open again": "UPDATE proposal SET state = 'open', decided_by = NULL, decided_at = NULL",
    "withdrawn after all": "UPDATE proposal SET state = 'withdrawn'",
    "another decider": "UPDATE proposal SET decided_by = 'other'",
    "decided at another time": "UPDATE proposal SET decided_at = '2026-01-01 00:00:00+00'",
    "another reason to decide": "UPDATE proposal SET decision_reason = 'x'",
}


def survivors(attacks: dict[str, str]) -> list[str]:
    """Try each of these; returns what the database let pass."""
    before, passed = rows(), []
    for name, statement in attacks.items():
        with database.atomic() as tried:
            try:
                with database.atomic():
                    database.execute_sql(statement)
                passed.append(name)
            except peewee.IntegrityError:
                assert rows() == before
            tried.rollback()
    return passed


def rows() -> list[Any]:
    return list(Proposal.select().order_by(Proposal.id).tuples())


def test_what_was_proposed_stands(kegui: Kegui, store: str) -> None:
    propose(kegui, role="reviewer")
    on_sqlite = ON_SQLITE | INSTEAD_OF_AN_OPEN_ONE

    assert survivors(ATTACKS | (on_sqlite if store.startswith("sqlite") else ON_POSTGRES)) == []


@pytest.mark.parametrize("decide", [proposals.approve, proposals.reject, proposals.withdraw])
def test_what_is_decided_is_final_in_the_database_too(
    kegui: Kegui, store: str, decide: Any
) -> None:
    proposal = propose(kegui, role="reviewer")
    with transaction():
        decide(proposal, CHECKER, kegui, "好")
    attacks = ATTACKS | (ON_SQLITE if store.startswith("sqlite") else ON_POSTGRES)

    assert survivors(attacks | AFTER_THE_DECISION) == []


def test_the_act_falls_back_on_the_database_where_it_was_told_a_wrong_maker(
    kegui: Kegui, proposal: Proposal
) -> None:
    proposal.proposed_by = "somebody else"

    with pytest.raises(SamePerson), transaction():
        proposals.approve(proposal, MAKER, kegui)

    assert kept(proposal) == ("open", None)


def test_a_system_that_was_given_both_may_do_both(kegui: Kegui) -> None:
    proposal = propose(kegui, Who("api:core"))

    with transaction():
        proposals.approve(proposal, Who("api:core"), kegui)

    assert kept(proposal) == ("approved", "api:core")


@pytest.mark.parametrize("decide", [proposals.approve, proposals.reject])
def test_a_token_is_no_second_person_for_whoever_answers_for_it(
    kegui: Kegui, proposal: Proposal, decide: Any
) -> None:
    with pytest.raises(SamePerson), transaction():
        decide(proposal, Who("api:hr", humans=frozenset({"maker"})), kegui, "好")
    assert kept(proposal) == ("open", None)

    with transaction():
        decide(proposal, Who("api:hr", humans=frozenset({"checker"})), kegui, "好")

    assert kept(proposal)[1] == "api:hr"


def test_the_maker_withdraws(kegui: Kegui, proposal: Proposal) -> None:
    with transaction():
        proposals.withdraw(proposal, MAKER, kegui)

    assert kept(proposal) == ("withdrawn", "maker")
    assert acts()[-1] == ("offboarding.withdraw", "maker")


@pytest.mark.parametrize("first", [proposals.approve, proposals.reject, proposals.withdraw])
@pytest.mark.parametrize("then", [proposals.approve, proposals.reject, proposals.withdraw])
def test_what_is_decided_stays_so(kegui: Kegui, proposal: Proposal, first: Any, then: Any) -> None:
    with transaction():
        first(proposal, CHECKER, kegui, "好")
    state, written = kept(proposal), acts()

    with pytest.raises(NotOpen), transaction():
        then(proposal, OTHER, kegui, "不")

    assert (kept(proposal), acts()) == (state, written)


def test_of_one_kind_and_subject_one_is_open(kegui: Kegui, proposal: Proposal) -> None:
    with pytest.raises(AlreadyProposed) as already, transaction():
        proposals.propose(KIND, SUBJECT, OTHER, kegui)

    assert already.value.proposal == proposal
    with pytest.raises(peewee.IntegrityError), transaction():
        Proposal.create(kind=KIND, subject=SUBJECT, proposed_by="x", proposed_at=MORNING)
    assert propose(kegui, subject="offboarding 8").state == "open"
    with transaction():
        proposals.reject(proposal, CHECKER, kegui, "不")
    assert propose(kegui).state == "open"


@pytest.mark.parametrize("act", [proposals.approve, proposals.reject, proposals.withdraw])
def test_a_decision_without_the_transaction_of_its_act_is_none(
    kegui: Kegui, proposal: Proposal, act: Any
) -> None:
    with pytest.raises(RuntimeError):
        act(proposal, CHECKER, kegui, "好")

    assert kept(proposal) == ("open", None)


def test_what_fails_after_the_decision_takes_it_back(kegui: Kegui, proposal: Proposal) -> None:
    def act() -> None:
        with transaction():
            proposals.approve(proposal, CHECKER, kegui)
            raise LookupError

    with pytest.raises(LookupError):
        act()

    assert kept(proposal) == ("open", None)
    assert acts() == [("offboarding.propose", "maker")]


def test_of_two_who_decide_at_once_one_wins(kegui: Kegui, proposal: Proposal) -> None:
    start = Barrier(2)

    def decide(act: Any, by: Who) -> "Future[Any]":
        def decided() -> str:
            with db.connection():
                mine = Proposal.get_by_id(proposal.id)
                start.wait(timeout=20)
                try:
                    with transaction():
                        act(mine, by, kegui, "好")
                except NotOpen:
                    return "late"
                return by.actor

        return in_thread(decided)

    both = [decide(proposals.approve, CHECKER), decide(proposals.reject, OTHER)]
    found = {one.result(timeout=60) for one in both}

    state, by = kept(proposal)
    assert found == {"late", by}
    assert state == {"checker": "approved", "other": "rejected"}[str(by)]
    assert len(acts()) == 2


def test_of_two_who_propose_the_same_at_once_one_wins(kegui: Kegui) -> None:
    start = Barrier(2)

    def by(who: Who) -> "Future[str]":
        def proposed() -> str:
            with db.connection():
                start.wait(timeout=20)
                try:
                    return propose(kegui, who).proposed_by
                except AlreadyProposed as already:
                    return f"after {already.proposal.proposed_by}"

        return in_thread(proposed)

    both = [by(CHECKER), by(OTHER)]
    found = {one.result(timeout=60) for one in both}

    maker = Proposal.get().proposed_by
    assert found == {maker, f"after {maker}"}
    assert acts() == [("offboarding.propose", maker)]
