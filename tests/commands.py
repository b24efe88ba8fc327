"""The commands of pages and examples, cut short for a test."""


def shortened(words: list[str], options: list[str]) -> list[str]:
    """A command with some options in place of its own."""
    for option in options[::2]:
        if option in words:
            at = words.index(option)
            words = words[:at] + words[at + 2 :]
    return [*words, *options]
