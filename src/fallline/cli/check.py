"""`fallline check`."""

from typing import Annotated

import typer

from fallline.cli.options import Json


def check(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule: file.py:Class, package.Class or a name.")],
    against: Annotated[
        str | None, typer.Option(metavar="torch.optim.NAME", help="A torch optimizer that it should equal.")
    ] = None,
    json: Json = False,
) -> None:
    """Prove a rule: the four laws, every executor against the reference, a torch optimizer. Exits with 1 if not."""
    from fallline.cli.printing import print_json
    from fallline.proof.check import check as prove
    from fallline.study.algorithms import resolve

    report = prove(resolve(rule), None if against is None else resolve(against))
    if json:
        print_json(report.to_json())
    else:
        for finding in report.findings:
            print(f"{'ok  ' if finding.passed else 'FAIL'}  {finding.what}: {finding.detail}")
        if report.step_microseconds:
            times = ", ".join(f"{name} {time:.0f} us" for name, time in report.step_microseconds.items())
            print(f"A step on {report.timed_on}: {times}")
        print(f"{report.rule}: {'proved' if report.passed else 'NOT proved'}")
    if not report.passed:
        raise typer.Exit(1)
