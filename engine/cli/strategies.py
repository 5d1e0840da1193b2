"""`bufferproof strategies`: which buffer designs there are, a line each."""

import importlib
import inspect

import typer


def strategies() -> None:
    """List the strategies: the built-in ones, and the gallery of designs found in the field."""
    from engine.buffer.catalogue import BUILT_IN
    from scenarios.gallery import GALLERY

    places = {**BUILT_IN, **GALLERY}
    width = max(len(name) for name in places)
    for name, place in places.items():
        kind = "gallery" if name in GALLERY else "built-in"
        typer.echo(f"{name:<{width}}  {kind:<8}  {_summary(place)}")


def _summary(place: str) -> str:
    """The first line of the class's docstring."""
    module_name, _, class_name = place.partition(":")
    found = getattr(importlib.import_module(module_name), class_name)
    return (inspect.getdoc(found) or "").partition("\n")[0]
