"""The command line: parse, call, print."""

from fallline.cli.main import main as main
