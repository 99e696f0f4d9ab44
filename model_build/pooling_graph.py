"""Pooling as ONNX operators: the same definitions as `bento_service.descriptors.pooling`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from bento_service.descriptors.pooling import GEM_FLOOR, rmac_regions
from bento_service.descriptors.version import DescriptorVersion, Part

PIXELS_A_PLACE = {"conv4_3": 8, "conv5_3": 16}
"""Pixels between neighbouring positions of a feature map; each pooling has halved its sides."""

Constants = dict[str, NDArray[np.generic]]


class _Graph:
    """A graph under construction; names are generated from one prefix."""

    def __init__(self, image_side: int) -> None:
        self.image_side = image_side
        self.nodes: list[onnx.NodeProto] = []
        self.constants: Constants = {}
        self._made: dict[tuple[object, ...], str] = {}

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator unless it exists, and return the name of its output."""
        key = (operator, inputs, *sorted((name, str(value)) for name, value in attributes.items()))
        if key not in self._made:
            name = f"pooling.{len(self._made)}.{operator.lower()}"
            self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
            self._made[key] = name
        return self._made[key]

    def constant(self, value: object, kind: type[np.generic]) -> str:
        """Add a constant, and return its name."""
        array = np.array(value, kind)
        name = f"pooling.{array.dtype}.{'_'.join(map(str, np.atleast_1d(array)))}"
        self.constants[name] = array
        return name

    def normalised(self, vectors: str, eps: float) -> str:
        """Divide vectors by their L2 norm over the second axis, and return the output's name."""
        lengths = self.add("ReduceL2", vectors, self.constant([1], np.int64), keepdims=1)
        return self.add("Div", vectors, self.add("Max", lengths, self.constant(eps, np.float32)))


def pooling_graph(versions: Sequence[DescriptorVersion]) -> tuple[list[onnx.NodeProto], Constants]:
    """Return the nodes from feature maps to descriptors, and their constants.

    All versions are for images of one size. The inputs are tensors with the names of the taps,
    (N, C, H, W) float32; the outputs have the names of the versions.
    """
    graph = _Graph(versions[0].preprocessing.size)
    for version in versions:
        pooling = version.pooling
        parts = [_weighted(graph, part, pooling.eps) for part in pooling.parts]
        if pooling.joined == "sum":
            joined = graph.add("Sum", *parts)
        else:
            joined = graph.add("Concat", *parts, axis=1)
        unit = graph.normalised(joined, pooling.eps)
        graph.nodes.append(helper.make_node("Identity", [unit], [version.name]))
    return graph.nodes, graph.constants


def _weighted(graph: _Graph, part: Part, eps: float) -> str:
    """Add a part's vectors (N, C), normalised and weighted; return the output's name."""
    unit = graph.normalised(_pooled(graph, part, eps), eps)
    if part.weight == 1.0:
        return unit
    return graph.add("Mul", unit, graph.constant(part.weight, np.float32))


def _pooled(graph: _Graph, part: Part, eps: float) -> str:
    maps = part.tap
    if part.pooling == "mac":
        return graph.add("Flatten", graph.add("GlobalMaxPool", maps), axis=1)
    if part.parameter is None:
        raise ValueError(f"{part.pooling} needs a parameter")
    if part.pooling == "gem":
        return _gem(graph, maps, part.parameter)
    return _rmac(graph, maps, part.parameter, eps)


def _gem(graph: _Graph, maps: str, exponent: int) -> str:
    floored = graph.add("Max", maps, graph.constant(GEM_FLOOR, np.float32))
    powers = graph.add("Pow", floored, graph.constant(exponent, np.float32))
    means = graph.add("Flatten", graph.add("GlobalAveragePool", powers), axis=1)
    return graph.add("Pow", means, graph.constant(1.0 / exponent, np.float32))


def _rmac(graph: _Graph, maps: str, levels: int, eps: float) -> str:
    """Add R-MAC; maxima of regions are taken along one axis and then along the other."""
    levels_maxima = []
    for size, starts in rmac_regions(graph.image_side // PIXELS_A_PLACE[maps], levels):
        at = graph.constant(starts, np.int64)
        rows = graph.add("MaxPool", maps, kernel_shape=[size, 1], strides=[1, 1])
        rows = graph.add("Gather", rows, at, axis=2)
        both = graph.add("MaxPool", rows, kernel_shape=[1, size], strides=[1, 1])
        both = graph.add("Gather", both, at, axis=3)
        # Not -1, which is ambiguous for an empty batch.
        regions_last = graph.constant([0, 0, len(starts) ** 2], np.int64)
        levels_maxima.append(graph.add("Reshape", both, regions_last, allowzero=0))
    regions = graph.normalised(graph.add("Concat", *levels_maxima, axis=2), eps)
    return graph.add("ReduceSum", regions, graph.constant([2], np.int64), keepdims=0)
