"""How many messages a core judges in a second, beside the bare automaton over the same words.

python -m tests.benchmarks.risk [--messages 20000] [--terms 5000]
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.risk import corpora, packs, semantic
from bot.risk.classify import MODEL, Classifier
from bot.risk.lexicon import Lexicon
from bot.risk.packs import Pack
from config import RISK

ROUNDS = 3


@dataclass(frozen=True)
class Result:
    """Messages in a second of the processor; the best of each turn's rounds."""

    terms: int
    words: int
    bare: float
    lexicon: float
    everything: float

    @property
    def ratio(self) -> float:
        return self.lexicon / self.bare


def larger(pack: Pack, terms: int, seed: int = 7) -> Pack:
    """Return the pack with so many terms more, made of characters that chats use."""
    draw = random.Random(seed)  # noqa: S311
    chars = sorted(
        {
            char
            for rule in pack.rules
            for one in rule.hits
            for char in one.text
            if "一" <= char <= "龥"
        }
    )
    made = {"".join(draw.choices(chars, k=draw.choice((3, 4, 4, 5)))) for _ in range(terms)}
    like = pack.rules[0]
    more = tuple(
        replace(like, id=f"{like.category}.t{number}", terms=(term,), expressions=())
        for number, term in enumerate(sorted(made))
    )
    return replace(pack, rules=pack.rules + more)


def messages(pack: Pack, amount: int) -> list[tuple[str, str]]:
    """Return everyday messages with the share of violations and disguises that a firm may have."""
    lines = [
        line
        for name in corpora.TRAINING
        for line in corpora.read(RISK / corpora.FOLDER / name, pack.categories)[0]
    ]
    everyday = [line for line in lines if not line.labels]
    odd = [line for line in lines if line.labels]
    draw = random.Random(7)  # noqa: S311
    picked = [draw.choice(odd if draw.random() < 0.02 else everyday) for _ in range(amount)]
    return [(line.text, line.sender) for line in picked]


def per_second(work: Callable[[str, str], object], some: Sequence[tuple[str, str]]) -> float:
    began = time.process_time()
    for text, sender in some:
        work(text, sender)
    return len(some) / (time.process_time() - began)


def measure(amount: int = 20_000, terms: int = 5_000) -> Result:
    """Measure all by turns, in one process: others may be at work on the machine."""
    shipped = packs.load(RISK)
    some = messages(shipped, amount)
    lexicon = Lexicon(larger(shipped, terms))
    bare = lexicon.automaton.find_matches_as_indexes
    model = semantic.load(RISK / MODEL, sorted(shipped.categories))
    everything = Classifier(lexicon.pack, "all", model)
    found: dict[str, float] = {"bare": 0.0, "lexicon": 0.0, "all": 0.0}
    for _ in range(ROUNDS):
        for name, work, share in (
            ("bare", lambda text, _: bare(text, overlapping=True), some),
            ("lexicon", lexicon.find, some),
            ("all", everything.judge, some[: max(1, amount // 10)]),
        ):
            found[name] = max(found[name], per_second(work, share))
    made = sum(len(rule.terms) for rule in lexicon.pack.rules)
    return Result(made, len(lexicon.words), found["bare"], found["lexicon"], found["all"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--terms", type=int, default=5_000)
    asked = parser.parse_args()
    result = measure(asked.messages, asked.terms)
    print(f"{result.terms} terms, {result.words} words in the automaton; per core second:")
    print(f"bare automaton {result.bare:,.0f} messages")
    print(f"lexicon        {result.lexicon:,.0f} messages, {result.ratio:.2f} of it")
    print(f"all layers     {result.everything:,.0f} messages")


if __name__ == "__main__":
    main()
