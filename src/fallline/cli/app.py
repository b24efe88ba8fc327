"""The application: every command, each in a file of its own. Nothing here imports torch."""

import typer

from fallline.cli.check import check
from fallline.cli.compare import compare
from fallline.cli.doctor import doctor
from fallline.cli.export import export
from fallline.cli.gallery import gallery
from fallline.cli.guard import guarded
from fallline.cli.listing import problems
from fallline.cli.lr_find import lr_find
from fallline.cli.once import Once
from fallline.cli.optimizers import optimizers
from fallline.cli.report import report
from fallline.cli.resume import resume
from fallline.cli.trace import trace
from fallline.cli.train import train

app = typer.Typer(
    name="fallline",
    help="Compare optimizers on your own model and data, fairly: same weights, same batches, many seeds.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (compare, train, trace, lr_find, gallery, check, resume, report, export, optimizers, problems, doctor):
    app.command(cls=Once)(guarded(command))


@app.callback(invoke_without_command=True)
def version(show: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    """Compare optimizers on your own model and data, fairly: same weights, same batches, many seeds."""
    if show:
        from fallline import __version__

        typer.echo(f"fallline {__version__}")
        raise typer.Exit
