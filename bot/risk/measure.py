"""Try a pack: the sentences of its rules, and how well each layer does on labelled messages."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from bot.risk import classify, learn
from bot.risk.corpora import Line
from bot.risk.lexicon import Lexicon
from bot.risk.located import Fault
from bot.risk.packs import Bars, Pack
from bot.risk.semantic import Extractor, Features, Model, any_of

FOLDS = 5
BLOCK = 40
"""Neighbouring lines are often turns of one talk: they stay together in one fold."""


@dataclass
class Count:
    """Right, wrong and missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, wanted: bool, found: bool) -> None:
        self.right += wanted and found
        self.wrong += found and not wanted
        self.missed += wanted and not found

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


@dataclass
class Figures:
    """How well a layer does: any label against any label, each category, and everyday chat."""

    whole: Count = field(default_factory=Count)
    categories: dict[str, Count] = field(default_factory=dict)
    everyday: int = 0
    flagged: int = 0

    def add(self, line: Line, labels: Collection[str], categories: Iterable[str]) -> None:
        self.whole.add(bool(line.labels), bool(labels))
        for one in categories:
            self.categories.setdefault(one, Count()).add(one in line.labels, one in labels)
        if line.everyday:
            self.everyday += 1
            self.flagged += bool(labels)

    @property
    def chat(self) -> float:
        return self.flagged / self.everyday if self.everyday else 0.0

    def below(self, bars: Bars) -> list[str]:
        """Say which bars are not met."""
        found = []
        if self.whole.precision < bars.precision:
            found.append(f"precision {self.whole.precision:.3f} < {bars.precision}")
        if self.whole.recall < bars.recall:
            found.append(f"recall {self.whole.recall:.3f} < {bars.recall}")
        if self.chat > bars.chat:
            found.append(f"everyday chat {self.chat:.3f} > {bars.chat}")
        return found


def examples(pack: Pack, lexicon: Lexicon) -> Iterator[Fault]:
    """Give each sentence that a rule should hit and does not, or hits and should not."""
    for rule in pack.rules:
        # A rule of a low level is for the order alone: it never reaches the threshold by itself.
        enough = min(rule.points, pack.threshold)
        for wanted, sentences in ((True, rule.hits), (False, rule.misses)):
            for one in sentences:
                hits = lexicon.find(one.text, one.sender).hits
                hit = any(found.rule == rule.id and found.score >= enough for found in hits)
                if hit != wanted:
                    code = "example_missed" if wanted else "example_hit"
                    yield Fault(rule.file, one.line, code, {"id": rule.id})


def words(pack: Pack, lexicon: Lexicon, lines: Sequence[Line]) -> Figures:
    """Measure the lexicon alone."""
    figures = Figures()
    for line in lines:
        hits = lexicon.find(line.text, line.sender).hits
        figures.add(line, classify.verdict(hits, pack).labels, pack.categories)
    return figures


@dataclass(frozen=True)
class Seen:
    """A labelled message, what the lexicon says of it, and what the model sees of it."""

    line: Line
    labels: tuple[str, ...]
    features: Features


def look(pack: Pack, lexicon: Lexicon, lines: Iterable[Line]) -> list[Seen]:
    """Make the features of messages."""
    extractor = Extractor(sorted(pack.categories), pack.threshold)
    seen = []
    for line in lines:
        normal = pack.normaliser.normal(line.text)
        found = lexicon.find(line.text, line.sender, normal)
        labels = classify.verdict(found.hits, pack).labels
        seen.append(Seen(line, labels, extractor.of(normal, line.sender, found)))
    return seen


def folds(files: Sequence[Sequence[Seen]]) -> Iterator[tuple[list[Seen], list[Seen]]]:
    """Split by blocks of neighbouring lines: what to train on, and what to measure on."""
    for fold in range(FOLDS):
        train: list[Seen] = []
        held: list[Seen] = []
        for lines in files:
            for number, one in enumerate(lines):
                (held if number // BLOCK % FOLDS == fold else train).append(one)
        yield train, held


def trained(pack: Pack, seen: Sequence[Seen]) -> Model:
    return learn.train(
        [one.features for one in seen],
        [one.line.labels for one in seen],
        sorted(pack.categories),
    )


def meant(pack: Pack, model: Model, seen: Iterable[Seen]) -> dict[str, Figures]:
    """Measure the semantic layer alone, and all layers together."""
    alone, together = Figures(), Figures()
    _add(pack, model, seen, alone, together)
    return {classify.SEMANTIC: alone, classify.ALL: together}


def held_back(
    pack: Pack, lexicon: Lexicon, files: Sequence[Sequence[Line]], shipped: Model
) -> dict[str, Figures]:
    """Measure both by models that have not seen what they judge, with the shipped thresholds."""
    alone, together = Figures(), Figures()
    for train, held in folds([look(pack, lexicon, lines) for lines in files]):
        model = replace(trained(pack, train), threshold=shipped.threshold, label=shipped.label)
        _add(pack, model, held, alone, together)
    return {classify.SEMANTIC: alone, classify.ALL: together}


def _add(pack: Pack, model: Model, seen: Iterable[Seen], alone: Figures, together: Figures) -> None:
    for one in seen:
        labels = set(classify.meaning(model, one.features, pack.threshold))
        alone.add(one.line, labels, pack.categories)
        together.add(one.line, labels.union(one.labels), pack.categories)


def threshold(pack: Pack, files: Sequence[Sequence[Seen]], share: float) -> float:
    """Find the threshold at which this share of everyday chat is flagged while it is held back."""
    likely = []
    for train, held in folds(files):
        model = trained(pack, train)
        likely += [any_of(model.probabilities(one.features)) for one in held if one.line.everyday]
    return learn.threshold_for(likely, share)
