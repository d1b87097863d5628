"""The semantic layer: a linear model over characters and pinyin, for what no list of words says.

It gives each category a probability; together they say how likely it is that a reviewer would want
the message in the queue. It adds labels and an order, and takes none away. Its weights are data
(`config/risk/model.npz`, made by `python -m bot.risk.make_model`); nothing leaves this machine.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.risk.lexicon import Found
from bot.risk.normalise import Normal

FORMAT = 1
_CHARS, _SOUNDS = 4, 3
_LONGEST = 400
_TOP = 100
_WORD = re.compile("[\u4e00-\u9fff]+|[a-z]+|[0-9]+|\\S")
_DIGITS = str.maketrans(dict.fromkeys("123456789", "0"))

Floats = NDArray[np.float32]


class BadModel(ValueError):
    """The file of weights is not one that this version reads, or belongs to other categories."""


@dataclass(frozen=True)
class Features:
    """What the model sees of a message.

    Attributes:
        chars: its runs of one to four characters, and how often each stands in it.
        sounds: its runs of one to three syllables.
        dense: what the lexicon found, and who speaks.
    """

    chars: Mapping[str, int]
    sounds: Mapping[str, int]
    dense: Floats
    staff: bool


def _readings() -> dict[str, str]:
    """Return the most usual pinyin of each character, without tones."""
    from pypinyin.constants import PINYIN_DICT
    from pypinyin.contrib.tone_convert import to_normal

    return {
        chr(point): to_normal(said.partition(",")[0])
        for point, said in PINYIN_DICT.items()
        if 0x4E00 <= point <= 0x9FFF
    }


class Sounds:
    """Reads a text aloud: the syllables of Chinese characters, and of pinyin written in letters."""

    def __init__(self) -> None:
        self._readings = _readings()
        self._syllables = frozenset(
            one for one in self._readings.values() if one.isascii() and one.isalpha()
        )

    def of(self, text: str) -> list[str]:
        said: list[str] = []
        for match in _WORD.finditer(text):
            word = match[0]
            if "\u4e00" <= word[0] <= "\u9fff":
                said += [self._readings.get(char, char) for char in word]
            elif word[0].isdigit():
                said.append("0" * min(len(word), 4))
            elif len(word) > 2 and word.isascii() and word.isalpha():
                said += self._cut(word) or [word]
            else:
                said.append(word)
        return said

    def _cut(self, word: str) -> list[str]:
        """Cut letters into the fewest syllables of pinyin; nothing where they are none."""
        if len(word) > 40:
            return []
        best: list[list[str] | None] = [[]] + [None] * len(word)
        for at in range(len(word)):
            here = best[at]
            if here is None:
                continue
            for end in range(at + 1, min(at + 6, len(word)) + 1):
                there = best[end]
                if word[at:end] in self._syllables and (
                    there is None or len(there) > len(here) + 1
                ):
                    best[end] = [*here, word[at:end]]
        return best[-1] or []


class Extractor:
    """Makes features; the lexicon's categories in the order of the model."""

    def __init__(self, categories: Sequence[str], threshold: int) -> None:
        self._places = {category: place for place, category in enumerate(categories)}
        self._threshold = threshold
        self._sounds = Sounds()

    @property
    def dense(self) -> int:
        return 2 * len(self._places) + 3

    def of(self, normal: Normal, sender: str, found: Found) -> Features:
        read = normal.text[:_LONGEST].translate(_DIGITS)
        return Features(
            _runs(read, _CHARS),
            _runs_of(self._sounds.of(normal.text[:_LONGEST]), _SOUNDS),
            self._dense(sender, found),
            sender == "staff",
        )

    def _dense(self, sender: str, found: Found) -> Floats:
        # How a word was disguised must not count: a disguise may never make a message look better.
        amount = len(self._places)
        dense = np.zeros(self.dense, np.float32)
        for hit in found.hits:
            place = self._places.get(hit.category)
            if place is not None:
                dense[place] = max(dense[place], hit.plain / _TOP)
        dense[amount : 2 * amount] = dense[:amount] * _TOP >= self._threshold
        dense[-3] = dense[amount : 2 * amount].any()
        dense[-2] = sender == "staff"
        dense[-1] = 1.0
        return dense


def _runs(text: str, longest: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for size in range(1, longest + 1):
        for at in range(len(text) - size + 1):
            run = text[at : at + size]
            counts[run] = counts.get(run, 0) + 1
    return counts


def _runs_of(words: Sequence[str], longest: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for size in range(1, longest + 1):
        for at in range(len(words) - size + 1):
            run = " ".join(words[at : at + size])
            counts[run] = counts.get(run, 0) + 1
    return counts


@dataclass(frozen=True)
class Block:
    """The weights of one kind of run: `rows` names the runs, in the order of the weights."""

    rows: Mapping[str, int]
    staff: Floats
    customer: Floats

    def sum(self, counts: Mapping[str, int], staff: bool) -> Floats | None:
        """Return what these runs add to each category."""
        rows, values = self.values(counts)
        if not rows:
            return None
        weights = self.staff if staff else self.customer
        return values @ weights[rows]

    def values(self, counts: Mapping[str, int]) -> tuple[list[int], Floats]:
        """Return the rows of these runs and the value of each.

        The values of all runs of a message, also of those without a row, have length one together:
        so a message of unknown words is no more certain than a long one.
        """
        known = self.rows
        rows, values, length = [], [], 0.0
        for run, count in counts.items():
            value = 1.0 if count == 1 else 1.0 + math.log(count)
            length += value * value
            row = known.get(run)
            if row is not None:
                rows.append(row)
                values.append(value)
        return rows, np.array(values, np.float32) / np.float32(math.sqrt(length) or 1.0)


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        threshold: the probability of any category from which a message is labelled.
        label: the probability of a category from which it is a label of a labelled message.
    """

    categories: tuple[str, ...]
    chars: Block
    sounds: Block
    dense: Floats
    threshold: float
    label: float
    made_from: str = ""

    def probabilities(self, features: Features) -> Floats:
        """Return the probability of each category, in the order of `categories`."""
        total = features.dense @ self.dense
        for block, counts in ((self.chars, features.chars), (self.sounds, features.sounds)):
            part = block.sum(counts, features.staff)
            if part is not None:
                total = total + part
        return (1.0 / (1.0 + np.exp(-total))).astype(np.float32)

    def span(self, features: Features, text: str, category: int) -> tuple[int, int]:
        """Return the part of a normal text that speaks most for a category."""
        weights = self.chars.staff if features.staff else self.chars.customer
        worth = np.zeros(len(text), np.float32)
        read = text[:_LONGEST].translate(_DIGITS)
        for size in range(1, _CHARS + 1):
            for at in range(len(read) - size + 1):
                row = self.chars.rows.get(read[at : at + size])
                if row is not None:
                    worth[at : at + size] += weights[row, category] / size
        best, start, end = 0.0, 0, len(text)
        total, begin = 0.0, 0
        for at, one in enumerate(worth):
            if total <= 0:
                total, begin = 0.0, at
            total += float(one)
            if total > best:
                best, start, end = total, begin, at + 1
        return start, end

    def save(self, path: Path) -> None:
        """Write the weights, each category's in steps of 1/127 of its largest."""
        arrays: dict[str, Any] = {
            "about": np.array(
                json.dumps(
                    {
                        "format": FORMAT,
                        "categories": self.categories,
                        "threshold": self.threshold,
                        "label": self.label,
                        "made_from": self.made_from,
                    }
                )
            ),
            "dense": self.dense.astype(np.float32),
        }
        for name, block in (("chars", self.chars), ("sounds", self.sounds)):
            arrays[f"{name}_rows"] = np.frombuffer("\n".join(block.rows).encode(), np.uint8)
            for side, weights in (("staff", block.staff), ("customer", block.customer)):
                scale = np.maximum(np.abs(weights).max(axis=0), 1e-6) / 127
                arrays[f"{name}_{side}"] = np.round(weights / scale).astype(np.int8)
                arrays[f"{name}_{side}_scale"] = scale.astype(np.float32)
        np.savez_compressed(path, **arrays)


def load(path: Path, categories: Sequence[str]) -> Model:
    """Read a model.

    Args:
        categories: those of the pack; the model must know the same ones.

    Raises:
        BadModel: it cannot be read, or was trained for other categories.
        FileNotFoundError: there is none.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            if about["format"] != FORMAT:
                raise BadModel(f"format {about['format']}, not {FORMAT}")
            chars, sounds = (_block(arrays, name) for name in ("chars", "sounds"))
            model = Model(
                tuple(about["categories"]),
                chars,
                sounds,
                arrays["dense"],
                about["threshold"],
                about["label"],
                about["made_from"],
            )
    except (KeyError, ValueError, OSError) as error:
        if isinstance(error, FileNotFoundError | BadModel):
            raise
        raise BadModel(f"{path.name} cannot be read") from None
    if set(model.categories) != set(categories):
        raise BadModel("trained for other categories than those of the pack")
    return model


def _block(arrays: Any, name: str) -> Block:
    runs = arrays[f"{name}_rows"].tobytes().decode().split("\n")
    weights = {
        side: arrays[f"{name}_{side}"].astype(np.float32) * arrays[f"{name}_{side}_scale"]
        for side in ("staff", "customer")
    }
    rows = {run: row for row, run in enumerate(runs)}
    return Block(rows, weights["staff"], weights["customer"])


def any_of(probabilities: Floats) -> float:
    """Return how likely it is that at least one category holds."""
    return 1.0 - float(np.prod(1.0 - probabilities))
