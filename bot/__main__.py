"""`python -m bot` is the `kegui` command."""

from bot.cli import main

main(prog_name="kegui")
