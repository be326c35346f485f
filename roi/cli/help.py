"""`roi help`: what a command does, or what a field of the scenario means and moves."""

from pathlib import Path

import click

from roi.cli.options import cache_option, scenario_here, set_option


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 -- click's signature
    """Commands and fields that begin with what is typed, for the shell."""
    from roi.cli import COMMANDS
    from roi.scenario.meaning import field_paths

    return [name for name in (*COMMANDS, *field_paths()) if name.startswith(incomplete) and "NAME" not in name]


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND... | FIELD [FILE]]", shell_complete=_names)
@set_option
@cache_option
@click.pass_context
def explain(ctx: click.Context, *, words: tuple[str, ...], overrides: tuple[str, ...], cache: bool) -> None:
    """Explain a command, or a field of the scenario: workload.requests_per_day, or the end of its path.

    Another word, such as price, lists the fields that have to do with it; the end of several paths lists these, and fields
    all. With FILE, or a roi.yaml in the folder, also what the field is there, and what it moves.
    """
    from roi.answers.help import explain_field
    from roi.cli import COMMANDS, main
    from roi.cli.output import write, write_blocks
    from roi.errors import UnknownName
    from roi.report.help import EVERY, every_field_blocks, field_blocks, fields_blocks
    from roi.scenario.file import load_scenario
    from roi.scenario.meaning import ASKED, fields_about, fields_ending
    from roi.scenario.mistakes import wish

    if words == (EVERY,):
        write_blocks(every_field_blocks())
        return
    if not words or words[0] in COMMANDS:
        write(_help_of(main, ctx.parent, words))
        return
    if len(words) > 2:
        raise click.UsageError(f"one FIELD and one FILE; {' '.join(words[2:])[:80]!r} is more")
    file = scenario_here(Path(words[1]) if len(words) == 2 else None)
    if overrides and file is None:
        raise click.UsageError("--set changes a scenario: give a FILE")
    several, wished = fields_ending(words[0]), None
    try:
        found = None if several else explain_field(words[0], file, overrides, also=tuple(COMMANDS), cache=cache)
    except UnknownName as error:
        found, several = None, fields_about(words[0]) if error.field == ASKED else ()
        wished = wish(words[0]) if error.field == ASKED else None
        if not (several or wished):
            raise
    if found is None:
        if len(words) == 2:
            load_scenario(words[1], overrides)  # a file that is not there is no less wrong than in a question about a field
        commands = [name for name in COMMANDS if name.startswith(words[0])]
        write_blocks(fields_blocks(words[0], several, commands, wished))
        return
    write_blocks(field_blocks(found))


def _help_of(command: click.Command, ctx: click.Context | None, words: tuple[str, ...]) -> str:
    """The help of the command that the words lead to."""
    ctx = ctx or click.Context(command, info_name="roi")
    for word in words:
        found = command.get_command(ctx, word) if isinstance(command, click.Group) else None
        if found is None:
            raise click.UsageError(f"{ctx.command_path} has no command {word[:80]!r}")
        command, ctx = found, click.Context(found, info_name=word, parent=ctx)
    return command.get_help(ctx)
