"""Options that are given twice: refused, where only the last would count."""

from typing import Any

from typer.core import TyperCommand, TyperOption


class Once(TyperCommand):
    """A command that takes every option once, apart from flags and those that may be repeated."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, after a look at what is repeated."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in given:
            times = sum(other is option for other in given)
            if isinstance(option, TyperOption) and times > 1 and not (option.multiple or option.is_flag):
                further = " `fallline compare` tries several." if option.name == "optimizer" else ""
                ctx.fail(f"{option.opts[0]} is given {times} times, and only one would count.{further}")
        return super().parse_args(ctx, args)
