"""Judge one message by the layers of a pack: labels, a score, and the spans that made it."""

from dataclasses import dataclass
from typing import Any

from bot.risk import semantic
from bot.risk.lexicon import TOP, Hit, Lexicon
from bot.risk.packs import Pack

LEXICON, SEMANTIC, ALL = "lexicon", "semantic", "all"
MODEL = "model.npz"
_MEANING = "semantic."
"""Before a category: the rule under which the semantic layer names its hits."""


@dataclass(frozen=True)
class Verdict:
    """What is said of a message.

    Attributes:
        labels: the categories at or above the pack's threshold, the highest first.
        score: 0 to 100; at or above the threshold exactly when there is a label.
    """

    labels: tuple[str, ...] = ()
    score: int = 0
    hits: tuple[Hit, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "labels": list(self.labels),
            "score": self.score,
            "hits": [
                {"rule": hit.rule, "category": hit.category, "start": hit.start, "end": hit.end}
                for hit in self.hits
            ],
        }


_NOTHING = Verdict()


def verdict(hits: tuple[Hit, ...], pack: Pack) -> Verdict:
    """Put the hits of one message together; several categories weigh more than one."""
    if not hits:
        return _NOTHING
    scores: dict[str, int] = {}
    for hit in hits:
        scores[hit.category] = max(scores.get(hit.category, 0), hit.score)
    order = sorted(scores, key=lambda one: (-scores[one], one))
    labels = tuple(one for one in order if scores[one] >= pack.threshold)
    score = scores[order[0]] + (pack.several if len(labels) > 1 else 0)
    ordered = sorted(hits, key=lambda hit: (-hit.score, hit.start, hit.rule))
    return Verdict(labels, min(score, TOP), tuple(ordered))


class Classifier:
    """A pack and its model, ready to judge messages; threads may share it."""

    def __init__(self, pack: Pack, layer: str = ALL, model: semantic.Model | None = None) -> None:
        self.pack = pack
        self.layer = layer
        self.lexicon = Lexicon(pack)
        self.model = model
        self._extractor = None
        if model is not None and layer != LEXICON:
            self._extractor = semantic.Extractor(model.categories, pack.threshold)

    def judge(self, text: str, sender: str) -> Verdict:
        """Judge a message.

        Args:
            sender: who wrote it, `staff` or `customer`.
        """
        if self._extractor is None or self.model is None:
            return verdict(self.lexicon.find(text, sender).hits, self.pack)
        normal = self.pack.normaliser.normal(text)
        found = self.lexicon.find(text, sender, normal)
        features = self._extractor.of(normal, sender, found)
        meant = []
        for category, score in meaning(self.model, features, self.pack.threshold).items():
            place = self.model.categories.index(category)
            span = normal.original(*self.model.span(features, normal.text, place))
            meant.append(Hit(_MEANING + category, category, *span, score, score))
        hits = tuple(meant) if self.layer == SEMANTIC else (*found.hits, *meant)
        return verdict(hits, self.pack)


def meaning(model: semantic.Model, features: semantic.Features, threshold: int) -> dict[str, int]:
    """Return the score of each category that the semantic layer adds; none below its threshold."""
    likely = model.probabilities(features)
    if semantic.any_of(likely) < model.threshold:
        return {}
    first = int(likely.argmax())
    return {
        category: threshold + round((TOP - threshold) * float(likely[place]))
        for place, category in enumerate(model.categories)
        if place == first or likely[place] >= model.label
    }
