"""`_core.pyi` says what `_core` has, no more and no less; what is public is annotated."""

import ast
import inspect
from pathlib import Path

import pytest

import steepest

pytestmark = pytest.mark.steepest_only


def declared(body, private=False):
    """Functions and classes of a part of the stub, by name."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in body if isinstance(node, kinds) and (private or not node.name.startswith("_"))}


def names(function):
    """The parameters of a function of the stub."""
    return [argument.arg for argument in function.args.args if argument.arg not in ("self", "cls")]


def test_the_stub_is_complete():
    from steepest import _core

    stub = declared(ast.parse((Path(steepest.__file__).parent / "_core.pyi").read_text()).body)
    assert stub.keys() == {name for name in vars(_core) if not name.startswith("_")}
    for name, node in stub.items():
        found = getattr(_core, name)
        if isinstance(node, ast.FunctionDef):
            assert names(node) == list(inspect.signature(found).parameters), name
            continue
        members = declared(node.body)
        assert members.keys() == {member for member in vars(found) if not member.startswith("_")}, name
        for member, function in members.items():
            if callable(getattr(found, member)):
                parameters = [p for p in inspect.signature(getattr(found, member)).parameters if p != "self"]
                assert names(function) == parameters, f"{name}.{member}"


def test_what_is_public_is_annotated():
    """The estimators' fit and predict are scikit-learn's, which has no annotations; all else has."""
    functions = [steepest.load, steepest.load_data, steepest.train]
    for kind in (steepest.Model, steepest.Run, steepest.Data):
        functions += [f for name, f in vars(kind).items() if inspect.isfunction(f) and not name.startswith("_")]
    for function in functions:
        signature = inspect.signature(function)
        assert signature.return_annotation is not signature.empty, function
        for name, parameter in signature.parameters.items():
            assert name == "self" or parameter.annotation is not parameter.empty, (function, name)
    assert (Path(steepest.__file__).parent / "py.typed").exists()
