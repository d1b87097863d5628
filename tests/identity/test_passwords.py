"""Which passwords are guessed first."""

import pytest

from bot.identity.passwords import Weakness, weakness

COMMON = {"password", "qwerty", "letmein", "woaini", "qazwsxedcrfv"}
NAMES = ("ops", "zhangsan", "张三")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", Weakness.SHORT),
        ("x1!y2?z3.w4", Weakness.SHORT),
        ("password2024!", Weakness.COMMON),
        ("2024-Password", Weakness.COMMON),
        ("P@ssw0rd-1234", Weakness.COMMON),
        ("passwordpassword", Weakness.COMMON),
        ("woaini1314520", Weakness.COMMON),
        ("QazWsxEdcRfv", Weakness.COMMON),
        ("qwertyuiopas", Weakness.COMMON),
        ("987654321098", Weakness.COMMON),
        ("13800138000138", Weakness.COMMON),
        ("aaaaaaaaaaaaaaaa", Weakness.COMMON),
        ("abababababab!", Weakness.COMMON),
        ("zhangsan-is-here-99", Weakness.NAME),
        ("ZhangSan!2026.x", Weakness.NAME),
        ("ops!2026!2026", Weakness.NAME),
        ("correct horse battery", None),
        ("a long password of the tests", None),
        ("vK3.quiet-river-41", None),
        ("天安门前看升旗的那一天早上", None),
    ],
)
def test_a_password_is_judged(password: str, why: Weakness | None) -> None:
    assert weakness(password, NAMES, COMMON) == why
