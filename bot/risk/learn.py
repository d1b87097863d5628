"""Train the semantic layer, with numpy alone.

The categories are trained together, each as a question of its own (is it this?) and all as one (is
it any?): the second keeps what is harmless below the threshold, which the first alone does not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bot.risk.semantic import Block, Features, Floats, Model

_ANY = 10.0
_DECAY = 1e-5
_RATE = 0.3
_ROUNDS = 6
_BATCH = 64
_AVERAGED = 1
_LEAST = 2
_SMALLEST = 0.12
"""Runs none of whose weights reaches this are left out of the file."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Rows:
    """The features of many messages, one after the other."""

    begins: Ints
    columns: Ints
    values: Floats

    def some(self, picked: Ints) -> tuple[Ints, Ints, Floats]:
        sizes = self.begins[picked + 1] - self.begins[picked]
        ends = np.cumsum(sizes)
        at = np.arange(ends[-1]) + np.repeat(self.begins[picked] - (ends - sizes), sizes)
        return ends - sizes, self.columns[at], self.values[at]


def _vocabulary(counts: Sequence[Mapping[str, int]]) -> tuple[dict[str, int], Floats]:
    """Return the runs that stand in two messages or more, and how rare each is (about 1)."""
    seen: Counter[str] = Counter()
    for one in counts:
        seen.update(one.keys())
    runs = sorted(run for run, times in seen.items() if times >= _LEAST and "\n" not in run)
    rows = {run: row for row, run in enumerate(runs)}
    times = np.array([seen[run] for run in runs], np.float32)
    rarity = np.log((1 + len(counts)) / (1 + times)) + 1
    return rows, (rarity / rarity.max(initial=1)).astype(np.float32)


def _matrix(
    messages: Sequence[Features], blocks: Sequence[Block], rarity: Sequence[Floats], dense: int
) -> tuple[_Rows, Sequence[int]]:
    """Lay the features out: chars for both, for staff, for customers; sounds; dense."""
    chars, sounds = (len(block.rows) for block in blocks)
    offsets = (0, chars, 2 * chars, 3 * chars, 3 * chars + sounds, 3 * chars + sounds + dense)
    columns, values, begins = [], [], [0]
    for one in messages:
        rows, worth = blocks[0].values(one.chars)
        heard, loud = blocks[1].values(one.sounds)
        worth, loud = worth * rarity[0][rows], loud * rarity[1][heard]
        [filled] = np.nonzero(one.dense)
        side = offsets[1] if one.staff else offsets[2]
        found = np.array(rows, np.int64)
        columns += [
            found,
            found + side,
            np.array(heard, np.int64) + offsets[3],
            filled + offsets[4],
        ]
        values += [worth, worth, loud, one.dense[filled]]
        begins.append(begins[-1] + 2 * len(rows) + len(heard) + len(filled))
    rows_ = _Rows(np.array(begins), np.concatenate(columns), np.concatenate(values))
    return rows_, offsets


def train(
    messages: Sequence[Features],
    labels: Sequence[Sequence[str]],
    categories: Sequence[str],
    rounds: int = _ROUNDS,
) -> Model:
    """Train a model; its thresholds are set afterwards, on messages that it has not seen."""
    empty = np.zeros((0, len(categories)), np.float32)
    blocks, rarity = [], []
    for counts in ([one.chars for one in messages], [one.sounds for one in messages]):
        rows, rare = _vocabulary(counts)
        blocks.append(Block(rows, empty, empty))
        rarity.append(rare)
    dense = len(messages[0].dense)
    matrix, offsets = _matrix(messages, blocks, rarity, dense)
    places = {category: place for place, category in enumerate(categories)}
    wanted = np.zeros((len(messages), len(categories)), np.float32)
    for row, names in enumerate(labels):
        wanted[row, [places[name] for name in names]] = 1
    weights = _descend(matrix, wanted, offsets[-1], rounds)
    chars, staff, customer, sounds, rest = (weights[a:b] for a, b in pairwise(offsets))
    return Model(
        tuple(categories),
        Block(
            blocks[0].rows,
            (chars + staff) * rarity[0][:, None],
            (chars + customer) * rarity[0][:, None],
        ),
        Block(blocks[1].rows, sounds * rarity[1][:, None], sounds * rarity[1][:, None]),
        rest,
        0.5,
        0.5,
    )


def _descend(matrix: _Rows, wanted: Floats, width: int, rounds: int) -> Floats:
    """Find the weights by stochastic gradient descent with a rate for each weight (AdaGrad)."""
    draw = np.random.default_rng(0)
    weights = np.zeros((width, wanted.shape[1]), np.float32)
    weights[-1] = -3.0  # at first nothing is likely
    squares = np.full_like(weights, 1e-4)
    any_wanted = wanted.max(axis=1)
    mean = np.zeros_like(weights)
    for turn in range(rounds):
        order = draw.permutation(len(wanted))
        for at in range(0, len(order), _BATCH):
            picked = order[at : at + _BATCH]
            begins, columns, values = matrix.some(picked)
            total = np.add.reduceat(weights[columns] * values[:, None], begins)
            likely = 1 / (1 + np.exp(-total))
            slope = likely - wanted[picked]
            none = np.exp(np.log1p(-np.minimum(likely, 1 - 1e-6)).sum(axis=1))
            none = np.clip(none, 1e-6, 1 - 1e-6)
            # A violation pulls at its own categories alone: otherwise one of them learns to know
            # violations of any kind by their style, and the labels mean nothing.
            missed = (none / (1 - none))[:, None] * wanted[picked]
            pull = np.where(any_wanted[picked, None] > 0, -missed, 1.0)
            slope = (slope + _ANY * likely * pull) / len(picked)
            by_column = np.argsort(columns)
            sizes = np.diff(np.append(begins, len(columns)))
            spread = np.repeat(slope, sizes, axis=0)[by_column] * values[by_column, None]
            ordered = columns[by_column]
            firsts = np.flatnonzero(np.diff(ordered, prepend=-1))
            touched = ordered[firsts]
            step = np.add.reduceat(spread, firsts).astype(np.float32)
            step += _DECAY * weights[touched]
            squares[touched] += step * step
            weights[touched] -= _RATE * step / np.sqrt(squares[touched])
        if turn >= rounds - _AVERAGED:
            mean += weights / _AVERAGED
    return mean


def smaller(model: Model, smallest: float = _SMALLEST) -> Model:
    """Leave out the runs that hardly matter."""
    blocks = []
    for block in (model.chars, model.sounds):
        most = np.maximum(np.abs(block.staff), np.abs(block.customer)).max(axis=1)
        kept = np.flatnonzero(most >= smallest)
        runs = list(block.rows)
        blocks.append(
            Block(
                {runs[row]: place for place, row in enumerate(kept)},
                block.staff[kept],
                block.customer[kept],
            )
        )
    return Model(model.categories, blocks[0], blocks[1], model.dense, model.threshold, model.label)


def threshold_for(likely: Sequence[float], share: float) -> float:
    """Return the threshold at which this share of harmless messages is flagged."""
    return float(np.quantile(np.array(likely), 1 - share))
