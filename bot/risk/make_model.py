"""Train the shipped model from the shipped corpora: `python -m bot.risk.make_model`.

Its threshold is that at which a given share of everyday chat is flagged by models that have not
seen it; then it is trained again on everything. Run it when the rules, the corpora or the features
have changed, and look at `kegui rules test` before the new file is committed.
"""

import argparse
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

from bot.risk import corpora, learn, measure, packs
from bot.risk.classify import MODEL
from bot.risk.lexicon import Lexicon
from config import RISK

_LABEL = 0.3
_EVERYDAY = 0.04


def make(folder: Path, share: float) -> None:
    """Write the model of the pack in this folder.

    Args:
        share: how much of everyday chat may be flagged.

    Raises:
        packs.Faulty: the pack or a corpus is wrong.
    """
    pack = packs.load(folder)
    lexicon = Lexicon(pack)
    files, faults, digest = [], [], hashlib.sha256()
    for name in corpora.TRAINING:
        path = folder / corpora.FOLDER / name
        lines, wrong = corpora.read(path, pack.categories)
        files.append(measure.look(pack, lexicon, lines))
        faults += wrong
        digest.update(path.read_bytes())
    if faults:
        raise packs.Faulty(faults)
    threshold = measure.threshold(pack, files, share)
    model = learn.smaller(measure.trained(pack, [one for file in files for one in file]))
    model = replace(model, threshold=threshold, label=_LABEL, made_from=digest.hexdigest())
    model.save(folder / MODEL)
    sys.stdout.write(f"{folder / MODEL}: threshold {threshold:.3f}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--everyday", type=float, default=_EVERYDAY)
    make(RISK, parser.parse_args().everyday)


if __name__ == "__main__":
    main()
