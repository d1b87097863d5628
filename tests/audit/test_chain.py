"""A log that was changed in any way is not whole, and the first fault is found where it is."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bot.audit.chain import (
    BEGINNING,
    CHANGED,
    CUT,
    FORGED,
    HEAD,
    MISSING,
    MOVED,
    Anchor,
    Entry,
    Fault,
    Head,
    Kept,
    Verifier,
    link,
    sign,
)

KEY = bytes(32)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
Heads = list[tuple[Head, str]]


def entries(writers: Sequence[str]) -> list[Entry]:
    """Return an entry for each name, numbered for each writer."""
    numbers: dict[str, int] = {}
    made = []
    for second, writer in enumerate(writers):
        numbers[writer] = numbers.get(writer, 0) + 1
        at = NOON + timedelta(seconds=second)
        details = {"客户": "wm_陈", "n": str(second)}
        made.append(
            Entry(writer, numbers[writer], at, "张三", "customer.look", "wm_1", details=details)
        )
    return made


def keep(made: Sequence[Entry], sealed: int) -> list[Kept]:
    """Return the entries as they are kept, the first ``sealed`` of them in the chain."""
    log, before = [], BEGINNING
    for position, entry in enumerate(made, 1):
        mac = entry.mac(KEY)
        if position <= sealed:
            before = link(before, entry, mac)
            log.append(Kept(f"entry {position}", entry, mac, position, before))
        else:
            log.append(Kept(f"entry {position}", entry, mac))
    return log


def heads(made: Sequence[Entry]) -> Heads:
    last = {entry.writer: entry.number for entry in made}
    return [
        (Head(writer, number), Head(writer, number).mac(KEY)) for writer, number in last.items()
    ]


def signed(kept: Kept) -> tuple[Anchor, str]:
    assert kept.position is not None
    anchor = Anchor(kept.position, kept.link, NOON)
    return anchor, sign(anchor, PRIVATE)


def faults(
    log: Sequence[Kept],
    of: Heads,
    anchors: Sequence[tuple[Anchor, str]] = (),
    key: bytes | None = KEY,
) -> list[Fault]:
    return list(Verifier(anchors, key, PRIVATE.public_key()).faults(log, of))


MADE = entries(["a", "b", "a", "a", "b", "c"])
LOG = keep(MADE, sealed=4)


@given(st.lists(st.sampled_from("abc"), max_size=20), st.integers(0, 20))
def test_what_nobody_touched_is_whole(writers: list[str], sealed: int) -> None:
    made = entries(writers)
    log = keep(made, sealed)
    anchors = [signed(one) for one in log if one.position]

    verifier = Verifier(anchors, KEY, PRIVATE.public_key())

    assert list(verifier.faults(log, heads(made))) == []
    assert verifier.sealed == min(sealed, len(made))
    assert verifier.unsealed == len(made) - verifier.sealed


def changed(number: int, **what: object) -> Callable[[list[Kept]], list[Kept]]:
    def change(log: list[Kept]) -> list[Kept]:
        entry = log[number].entry
        assert entry is not None
        log[number] = replace(log[number], entry=replace(entry, **what))  # type: ignore[arg-type]
        return log

    return change


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize(
    "what",
    [
        {"actor": "张四"},
        {"at": NOON + timedelta(microseconds=1)},
        {"purpose": " "},
        {"details": {"客户": "wm_陈"}},
    ],
)
def test_one_changed_byte_is_found_at_its_place(number: int, what: dict[str, object]) -> None:
    found = faults(changed(number, **what)(list(LOG)), heads(MADE))

    assert (found[0].kind, found[0].place) == (CHANGED, f"entry {number + 1}")


@pytest.mark.parametrize("number", range(6))
def test_a_removed_entry_is_missed_also_before_it_was_sealed(number: int) -> None:
    """With its seal, or as one that was never sealed."""
    log = [one for one in LOG if one is not LOG[number]]

    assert MISSING in {one.kind for one in faults(log, heads(MADE))}


def test_a_seal_whose_entry_is_gone_is_named() -> None:
    log = list(LOG)
    log[1] = replace(log[1], entry=None)

    assert faults(log, heads(MADE))[0] == Fault(MISSING, "entry 2", 2)


@given(st.integers(0, 3), st.integers(0, 3))
def test_a_pair_that_changed_places_is_found(one: int, other: int) -> None:
    log = list(LOG)
    swapped = replace(log[other], position=log[one].position, link=log[one].link)
    log[one], log[other] = (
        swapped,
        replace(LOG[one], position=LOG[other].position, link=LOG[other].link),
    )
    found = faults(log, heads(MADE))

    assert bool(found) == (one != other)
    assert not found or found[0].position == min(one, other) + 1


def test_an_end_that_was_cut_off_with_its_heads_is_told_by_an_anchor_kept_elsewhere() -> None:
    log = LOG[:2]

    assert faults(log, heads(MADE[:2])) == []
    assert faults(log, heads(MADE[:2]), [signed(LOG[3])]) == [Fault(CUT, "anchor 4", 4)]


def test_heads_that_were_changed_or_taken_away_are_found() -> None:
    [first, *rest] = heads(MADE)

    assert faults(LOG, rest)[0].kind == HEAD
    assert faults(LOG, [(replace(first[0], number=2), first[1]), *rest])[0].kind == HEAD
    assert faults(LOG, [*heads(MADE), *heads(entries(["d"]))])[0].kind == MISSING


def test_an_anchor_that_somebody_else_signed_or_of_another_chain_is_found() -> None:
    anchor, signature = signed(LOG[3])
    foreign = sign(anchor, Ed25519PrivateKey.generate())

    assert faults(LOG, heads(MADE), [(anchor, signature)]) == []
    assert faults(LOG, heads(MADE), [(anchor, foreign)])[0].kind == FORGED
    assert faults(LOG, heads(MADE), [(anchor, "none")])[0].kind == FORGED
    other = replace(anchor, link="1" * 64)
    assert faults(LOG, heads(MADE), [(other, sign(other, PRIVATE))])[0].kind == FORGED


def test_without_the_key_the_chain_still_shows_what_was_changed_after_sealing() -> None:
    assert faults(LOG, heads(MADE), key=None) == []
    assert faults(changed(2, actor="x")(list(LOG)), heads(MADE), key=None)[0].position == 3


def test_whoever_makes_the_whole_chain_anew_without_the_key_is_found() -> None:
    other = bytes([1]) * 32
    log, before = [], BEGINNING
    for position, entry in enumerate(MADE, 1):
        mac = entry.mac(other)
        before = link(before, entry, mac)
        log.append(Kept(f"entry {position}", entry, mac, position, before))

    assert faults(log, heads(MADE))[0].kind == CHANGED


def test_a_moved_entry_is_told_from_a_changed_one() -> None:
    log = list(LOG)
    log[1], log[2] = (
        replace(log[2], position=2, link=log[1].link),
        replace(log[1], position=3, link=log[2].link),
    )

    assert faults(log, heads(MADE))[0].kind == MOVED
