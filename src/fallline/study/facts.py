"""What the catalogue says of a rule or wrapper, in words."""

from typing import Any

_PIECES = {"element": "single numbers", "tensor": "whole tensors", "matrix": "matrices"}
_TAKEN = {"complex": "complex parameters", "sparse": "sparse gradients", "sharded": "sharded parameters"}
_ASKED = {
    "further_gradients": "a further gradient, so step(closure)",
    "whole_model_totals": "sums over the whole model",
    "noise": "noise",
    "rhythm": "what is due every k steps",
}


def facts(entry: dict[str, Any]) -> dict[str, str]:
    """Short sentences by heading; a heading is left out where there is nothing to say."""
    said = {
        "acts on": _PIECES[entry["acts_on"]] + _ranks(*entry["ranks"]),
        "state": _state(entry),
        "takes": _listed(entry, _TAKEN) or "real, dense, whole parameters",
        "asks for": _listed(entry, _ASKED),
        "evaluated": "at weights of its own: optimizer.evaluating()" if entry["evaluated_elsewhere"]["holds"] else "",
        "torch": _torch(entry),
        "executors": _executors(entry),
        "refuses": _refusals(entry),
    }
    return {heading: sentence for heading, sentence in said.items() if sentence}


def hyperparameter(field: dict[str, Any]) -> str:
    """What a hyperparameter may be, shortly."""
    words = str(field["range"]).removeprefix("a finite number ").removeprefix("of ")
    return f"{words}, or None" if field["optional"] else words


def words_of_state(entry: dict[str, Any]) -> str:
    """How much a rule keeps beside each weight of a matrix, and how much at most."""
    state = entry["state_words"]
    most = state["at_most"]
    up_to = f", up to {most:.3g}" if most > state["per_weight"] else ""
    numbers = f" + {state['numbers_per_tensor']}" if state["numbers_per_tensor"] else ""
    return f"{state['per_weight']:.3g}{numbers}{up_to}"


def large(number: int) -> str:
    """A number of weights, in millions.

    >>> large(2_100_000)
    '2.1 million'
    """
    return f"{number / 1e6:.2g} million"


def _ranks(low: int, high: int) -> str:
    if high < 64:
        return f" of {low} to {high} dimensions"
    return f" of {low} or more dimensions" if low else ""


def _state(entry: dict[str, Any]) -> str:
    state, more = entry["state_words"], entry["state_words"]["changed_by"]
    if not entry["state"]:
        return "; ".join(["none", *(f"{_words(words)} per weight with {name}" for name, words in more.items())])
    count = state["numbers_per_tensor"]
    kept = f"{_words(state['per_weight'])} per weight{' of a 64 x 64 matrix' if _by_shape(state) else ''}"
    if count:
        kept += f" and {count} number{'' if count == 1 else 's'} per tensor"
    parts = [f"{kept} ({', '.join(entry['state'])})"]
    if _by_shape(state):
        parts.append(f"{state['of_a_vector']:.3g} of a vector")
    parts += [f"{words:.3g} with {name}" for name, words in more.items()]
    if len(more) > 1:
        parts.append(f"{state['at_most']:.3g} with all")
    return "; ".join(parts)


def _by_shape(state: dict[str, Any]) -> bool:
    """Whether a vector keeps another share of state than a matrix."""
    return state["of_a_vector"] not in (None, state["per_weight"])


def _words(count: float) -> str:
    return f"{count:.3g} word{'' if count == 1 else 's'}"


def _torch(entry: dict[str, Any]) -> str:
    if not entry.get("torch"):
        return ""
    return f"{entry['torch']}{', state exchanged both ways' if entry['exchanges_state'] else ''}"


def _executors(entry: dict[str, Any]) -> str:
    if "executors" not in entry:
        return ""
    start = entry["compiled_from"]
    chosen = '"auto" never compiles it' if start is None else f'"auto" compiles it from {large(start)} weights on'
    return ", ".join(entry["executors"]) + (f"; {chosen}" if "search" in entry else "")


def _refusals(entry: dict[str, Any]) -> str:
    """The wrappers that cannot stand around it, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for message in entry["refused_wrappers"].values():
        wrapper, _, reason = message.partition(" ")
        by_reason.setdefault(reason, []).append(wrapper)
    return " ".join(f"{', '.join(wrappers)} {reason}" for reason, wrappers in by_reason.items())


def _listed(entry: dict[str, Any], names: dict[str, str]) -> str:
    found = []
    for key, words in names.items():
        answer = entry[key]
        but = ", ".join(answer["changed_by"])
        if answer["holds"]:
            found.append(f"{words} (not with {but})" if but else words)
        elif but:
            found.append(f"{words} (with {but})")
    return "; ".join(found)
