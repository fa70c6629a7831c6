"""Files of `torch.export` (.pt2).

Torch unpickles and evaluates parts of such a file. Only a graph of plain aten
operators, plain tensors and arithmetic of sizes is let through; what else may be
in a file is left behind or refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_guideme.errors import InputError
from napari_guideme.files import first_line
from napari_guideme.networks.card import NetworkCard
from napari_guideme.networks.formats.archive import rebuilt, records
from napari_guideme.networks.formats.told import shape_of

if TYPE_CHECKING:
    from torch import nn

_PROGRAM = "models/model.json"
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_PLAIN = re.compile(
    r"data/(weights/weight_\d+|constants/tensor_\d+)|byteorder|archive_\w+|\.data/.*"
)

_OPERATOR = re.compile(
    r"torch\.ops\.aten\.(?!from_file)\w+\.\w+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|getitem|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|math\.(ceil|floor|trunc|sqrt)|torch\.sym_(float|int|ite|max|min|not)"
)

_WORDS = (
    "Symbol|Integer|Float|Rational|Add|Mul|Pow|Max|Min|Mod|PythonMod|Abs|Eq|Ne|Lt|Le|Gt|Ge"
    "|FloorDiv|CeilDiv|CleanDiv|IntTrueDiv|FloatTrueDiv|CeilToInt|FloorToInt|TruncToInt|ToFloat"
    "|positive|integer|nonnegative|negative|real|finite|evaluate|precision|True|False|oo|int_oo"
)
_SIZES = re.compile(rf"(?:\b(?:{_WORDS})\b|'?\b[suz]\d+\b'?|[\d\s+\-*/%(),=<>.])*")


def guess(path: Path) -> NetworkCard:
    """The shape of the input."""
    graph = _program(path, records(path))["graph_module"]
    inputs = [
        spec["user_input"]["arg"]["as_tensor"]["name"]
        for spec in graph["signature"]["input_specs"]
        if "user_input" in spec
    ]
    if len(inputs) != 1:
        raise InputError(f"{path.name} has {len(inputs)} inputs; networks here have one")
    sizes = graph["graph"]["tensor_values"][inputs[0]]["sizes"]
    return shape_of([size.get("as_int") for size in sizes])


def load(path: Path, card: NetworkCard) -> nn.Module:
    """Load the graph, after a look at everything that torch would run."""
    import torch

    found = records(path)
    contents = {name: data for name, data in found.items() if _PLAIN.fullmatch(name)}
    contents |= {name: _plain_payload(path, found, name) for name in _CONFIGS}
    contents[_PROGRAM] = json.dumps(_program(path, found)).encode()
    contents["data/sample_inputs/model.pt"] = b""
    try:
        program = torch.export.load(rebuilt(contents)).module()
    except Exception as error:
        raise InputError(f"{path.name} cannot be loaded: {first_line(error)}") from error
    # A module like any other: torch's own refuses `eval`.
    return torch.fx.GraphModule(program, program.graph)


def _program(path: Path, found: dict[str, bytes]) -> dict[str, Any]:
    """The graph, without what is evaluated and not needed; refused if it is not plain."""
    program = _table(path, found, _PROGRAM)
    program["guards_code"] = []
    for table in _tables(program):
        if "target" in table and "metadata" in table:
            table["metadata"] = {}
        target, sizes = table.get("target"), table.get("expr_str")
        if isinstance(target, str) and "metadata" in table and not _OPERATOR.fullmatch(target):
            raise InputError(f"{path.name} uses {target}, which is not allowed in a network")
        if sizes is not None and not _SIZES.fullmatch(str(sizes)):
            raise InputError(f"{path.name} holds code where a size should be: {str(sizes)[:60]}")
    if re.search(r"__[a-z]+__", json.dumps(program)):
        raise InputError(f"{path.name} holds names that are not allowed in a network")
    return program


def _plain_payload(path: Path, found: dict[str, bytes], name: str) -> bytes:
    """A table of tensors; pickled ones are refused."""
    for entry in _table(path, found, name).get("config", {}).values():
        is_plain = re.fullmatch(r"(weight|tensor)_\d+", str(entry.get("path_name")))
        if entry.get("use_pickle") is not False or not is_plain:
            raise InputError(f"{path.name} holds pickled objects, which are not read")
    return found[name]


def _table(path: Path, found: dict[str, bytes], name: str) -> dict[str, Any]:
    try:
        table = json.loads(found[name])
    except (KeyError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path.name} is not a file of torch.export.save as torch 2.9 and later write it: "
            f"{name} is missing or unreadable"
        ) from error
    if not isinstance(table, dict):
        raise InputError(f"{path.name}: {name} is not a table")
    return table


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    """All tables within a JSON value."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
