"""An ONNX model as onnx2torch can read it.

onnx2torch knows the operators of opset 17, and wants weights to be weights, not
computed from others. So functions are written out, what depends on no input is
computed, and younger operators get their older form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import takewhile
from typing import Any

from numpy.typing import NDArray
from onnx import helper, inliner, numpy_helper, shape_inference, version_converter
from onnx.reference import ReferenceEvaluator

from napari_guideme.errors import InputError

#: Converters of ours have a domain of their own, so they stand beside those of onnx2torch.
OURS = "guideme"

_OPSET = 17

#: Younger operators that are written out by their own definition in the standard.
_WRITTEN_OUT = [("", name) for name in ("GroupNormalization", "Gelu", "Mish", "Swish", "Shrink")]

_RANDOM = ("RandomNormal", "RandomUniform", "Bernoulli", "Multinomial")


def lowered(model: Any, ours: Callable[[Any], bool]) -> Any:
    """Return the model as onnx2torch can read it.

    Parameters
    ----------
    model
        A checked `ModelProto`; it may be changed.
    ours
        Whether a node is for a converter of ours.
    """
    model = inliner.inline_local_functions(model)
    model = inliner.inline_selected_functions(model, _WRITTEN_OUT, False, True)
    for node in model.graph.node:
        node.domain = "" if node.domain == "ai.onnx" else node.domain
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
    if version < 11:
        model = version_converter.convert_version(model, 13)
        version = 13
    constants = _folded(model, version)
    del model.graph.value_info[:]
    model = shape_inference.infer_shapes(model, data_prop=True)
    _fuse_swish(model.graph)
    _shorten_names(model.graph)
    for node in model.graph.node:
        if node.domain == "" and node.op_type in _LOWERING and version > _OPSET:
            _LOWERING[node.op_type](node, constants)
        if node.domain == "" and ours(node):
            node.domain = OURS
    del model.opset_import[:]
    model.opset_import.extend(
        [helper.make_opsetid("", min(version, _OPSET)), helper.make_opsetid(OURS, 1)]
    )
    return model


def attributes(node: Any) -> dict[str, Any]:
    """Attributes of a node as plain values, texts decoded."""
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}


def _folded(model: Any, version: int) -> dict[str, NDArray[Any]]:
    """Compute what depends on no input, and drop identities; return all constants by name."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    renamed: dict[str, str] = {}
    kept = []
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
        if node.domain == "" and node.op_type == "Identity" and node.output[0] not in outputs:
            renamed[node.output[0]] = node.input[0]
        elif _is_constant(node, constants) and outputs.isdisjoint(node.output):
            constants |= _computed(node, constants, version)
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    constants = {name: value for name, value in constants.items() if name in used}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(v, n) for n, v in constants.items())
    return constants


def _is_constant(node: Any, constants: dict[str, NDArray[Any]]) -> bool:
    known = all(not name or name in constants for name in node.input)
    has_graph = any(a.HasField("g") or a.graphs for a in node.attribute)
    return known and node.domain == "" and not has_graph and node.op_type not in _RANDOM


def _computed(
    node: Any, constants: dict[str, NDArray[Any]], version: int
) -> dict[str, NDArray[Any]]:
    tensors = [numpy_helper.from_array(constants[name], name) for name in set(node.input) if name]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    graph = helper.make_graph([node], "constants", [], outputs, tensors)
    alone = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    names = [value.name for value in outputs]
    return dict(zip(names, ReferenceEvaluator(alone).run(names, {}), strict=True))


def _fuse_swish(graph: Any) -> None:
    """Make x * sigmoid(x) one operation: the gate alone is no place to guide."""
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(value.name for value in graph.output)
    gates = {
        node.output[0]: node
        for node in graph.node
        if node.domain == "" and node.op_type == "Sigmoid" and uses[node.output[0]] == 1
    }
    for node in list(graph.node):
        gate = next((gates[name] for name in node.input if name in gates), None)
        if node.op_type == "Mul" and gate is not None and gate.input[0] in node.input:
            del node.input[:]
            node.input.append(gate.input[0])
            node.op_type, node.domain = "Swish", OURS
            graph.node.remove(gate)


def _shorten_names(graph: Any) -> None:
    """Drop the folders that all names share."""
    folders = [node.name.split("/")[:-1] for node in graph.node if "/" in node.name]
    shared = takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False))
    prefix = "".join(f"{level[0]}/" for level in shared)
    for node in graph.node:
        node.name = node.name.removeprefix(prefix)


def _reduce(node: Any, constants: dict[str, NDArray[Any]]) -> None:
    """Axes were an attribute before they became an input."""
    values = attributes(node)
    values.pop("noop_with_empty_axes", None)
    if len(node.input) > 1 and node.input[1]:
        if node.input[1] not in constants:
            raise InputError(f"{node.op_type} over axes that are computed is not supported")
        values["axes"] = constants[node.input[1]].tolist()
    del node.input[1:]
    _set_attributes(node, values)


def _split(node: Any, constants: dict[str, NDArray[Any]]) -> None:
    """Equal parts needed no number before."""
    values = attributes(node)
    values.pop("num_outputs", None)
    _set_attributes(node, values)


def _set_attributes(node: Any, values: dict[str, Any]) -> None:
    del node.attribute[:]
    node.attribute.extend(helper.make_attribute(key, value) for key, value in values.items())


_REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"]
_LOWERING: dict[str, Callable[[Any, dict[str, NDArray[Any]]], None]] = {
    **{f"Reduce{name}": _reduce for name in _REDUCTIONS},
    "Split": _split,
}
