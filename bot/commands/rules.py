"""`kegui rules`: say what is wrong with a file of rules, and what a pack says of messages."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import click
from peewee import PeeweeException

from bot import db, migrations, wiring
from bot.risk import classify as risk
from bot.risk import corpora, measure, packs, semantic
from bot.risk.fault_words import texts_of as risk_texts_of
from bot.risk.lexicon import Lexicon
from bot.risk.located import Fault
from bot.risk.semantic import Model
from config import RISK, settings
from config.settings import SettingsError


@click.group()
def rules() -> None:
    """The rules by which customers are allocated, and those by which messages are judged."""


@rules.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Print what is wrong with FILE as `file:line: what`, and end with 2; or end with 0.

    Where there is a database, members and departments are looked up in it.
    """
    from bot.allocation import facts, rule_files, rule_sets
    from bot.allocation.fault_words import texts_of

    try:
        body = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        click.echo(f"{file}:1: no UTF-8")
        raise SystemExit(2) from None
    found, faults = rule_files.read(body, facts.products())
    if found is not None:
        try:
            loaded = settings.load()
            wiring.connect(loaded)
            if migrations.pending():
                raise LookupError("kegui migrate was not run")
            with db.connection():
                faults = rule_sets.faults_here(found, body, loaded.default_capacity, loaded.zone)
        except (SettingsError, ValueError, LookupError, PeeweeException) as error:
            why = str(error).partition("\n")[0][:200]
            click.echo(f"members and departments were not looked up: {why}", err=True)
    for fault in faults:
        click.echo(f"{file}:{fault.line}: {texts_of(fault).english}")
    raise SystemExit(2 if faults else 0)


_LAYER = click.option(
    "--layer",
    type=click.Choice(packs.LAYERS),
    default=risk.ALL,
    show_default=True,
    help="The words of the rules, the meaning, or both.",
)
_PACK = click.option(
    "--pack",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=RISK,
    help="The folder of the rule pack.",
)


@rules.command("classify")
@click.argument("file", type=click.File(encoding="utf-8", errors="replace"))
@_LAYER
@_PACK
def classify(file: IO[str], layer: str, folder: Path) -> None:
    """Judge each message of FILE, or of standard input (-): JSON lines in and out, in order.

    A line that is no message is told on standard error with its number; the others are judged all
    the same, and the command ends with 2.
    """
    pack = _pack(folder)
    model = None if layer == risk.LEXICON else _model(folder, pack)
    judge = risk.Classifier(pack, layer, model).judge
    wrong = False
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            message = corpora.message(line)
        except corpora.BadMessage as error:
            click.echo(f"{getattr(file, 'name', '-')}:{number}: {error}", err=True)
            wrong = True
            continue
        found = judge(message["text"], message["sender"]).as_json()
        click.echo(json.dumps({"id": message["id"], **found}, ensure_ascii=False))
    raise SystemExit(2 if wrong else 0)


def _model(folder: Path, pack: packs.Pack) -> Model:
    try:
        return semantic.load(folder / risk.MODEL, sorted(pack.categories))
    except (semantic.BadModel, FileNotFoundError) as error:
        why = str(error) if isinstance(error, semantic.BadModel) else "there is none"
        _say([Fault(risk.MODEL, 1, "bad_model", {"why": why})], folder)
        raise SystemExit(2) from None


def _pack(folder: Path) -> packs.Pack:
    try:
        return packs.load(folder)
    except packs.Faulty as error:
        _say(error.faults, folder)
        raise SystemExit(2) from None


def _say(faults: Sequence[Fault], folder: Path) -> None:
    for fault in faults:
        click.echo(f"{folder / fault.file}:{fault.line}: {risk_texts_of(fault).english}", err=True)


@rules.command("test")
@_LAYER
@_PACK
def test(layer: str, folder: Path) -> None:
    """Try the sentences of every rule and the shipped corpora: precision and recall by category.

    The semantic layer is trained anew on four fifths of the corpora and measured on the last one,
    five times, so no message is judged by a model that has seen it. Ends with 1 below the bars of
    the pack, and with 2 where a file is wrong.
    """
    pack = _pack(folder)
    lexicon = Lexicon(pack)
    faults = list(measure.examples(pack, lexicon))
    files, shown = [], []
    for name in (*corpora.TRAINING, *corpora.SHOWN):
        lines, wrong = corpora.read(folder / corpora.FOLDER / name, pack.categories)
        faults += [
            Fault(f"{corpora.FOLDER}/{one.file}", one.line, one.code, one.facts) for one in wrong
        ]
        if name in corpora.TRAINING:
            files.append(lines)
        else:
            shown.append((name, lines))
    if faults:
        _say(faults, folder)
        raise SystemExit(2)
    tried = [one for file in files for one in file]
    found: dict[str, measure.Figures] = {}
    if layer != risk.SEMANTIC:
        found[risk.LEXICON] = measure.words(pack, lexicon, tried)
    beside: dict[str, dict[str, measure.Figures]] = {
        name: {risk.LEXICON: measure.words(pack, lexicon, lines)} for name, lines in shown
    }
    if layer != risk.LEXICON:
        model = _model(folder, pack)
        found |= measure.held_back(pack, lexicon, files, model)
        for name, lines in shown:
            beside[name] |= measure.meant(pack, model, measure.look(pack, lexicon, lines))
    click.echo(f"{len(pack.rules)} rules, every sentence as it should be; {len(tried)} messages")
    _print(pack, found, beside)
    below = [
        f"{name}: {one}"
        for name, figures in found.items()
        for one in figures.below(pack.bars.get(name, packs.Bars()))
    ]
    for one in below:
        click.echo(f"below the bar: {one}", err=True)
    raise SystemExit(1 if below else 0)


def _print(
    pack: packs.Pack,
    found: Mapping[str, measure.Figures],
    beside: Mapping[str, Mapping[str, measure.Figures]],
) -> None:
    head = "".join(f"  {name + ' P':>10} {'R':>5}" for name in found)
    click.echo(f"{'category':<22}{'lines':>6}{head}")
    for category in sorted(pack.categories):
        counts = [figures.categories.get(category, measure.Count()) for figures in found.values()]
        lines = counts[0].right + counts[0].missed
        click.echo(f"{category:<22}{lines:>6}" + "".join(map(_cells, counts)))
    counts = [figures.whole for figures in found.values()]
    click.echo(f"{'any':<22}{counts[0].right + counts[0].missed:>6}" + "".join(map(_cells, counts)))
    chat = "".join(f"  {figures.chat:>10.3f} {'':>5}" for figures in found.values())
    click.echo(f"{'everyday chat flagged':<28}{chat}")
    for name, layers in beside.items():
        told = "; ".join(
            f"{layer} P {one.whole.precision:.3f} R {one.whole.recall:.3f}"
            for layer, one in layers.items()
        )
        click.echo(f"shown beside, no evidence: {name}: {told}")


def _cells(count: measure.Count) -> str:
    return f"  {count.precision:>10.3f} {count.recall:>5.3f}"
