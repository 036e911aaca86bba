"""Rounds the weights of an OpenVINO model to int8 in groups, the format that CPUs compute fastest.

A weight matrix of shape (outputs, inputs) becomes int8 numbers q and one float16 scale for each group of inputs of one
output, symmetric about zero: w ≈ scale · q with scale = max|w| / 127 over the group.

Why groups of 128 where GGUF's Q8_0 has 32: OpenVINO rounds the activations in groups too while it multiplies
(`DYNAMIC_QUANTIZATION_GROUP_SIZE`), never in larger groups than the weights', and each group costs a conversion back
to floating point. Measured on 2 cores with avx512_vnni, 1,500-token prompt, weights of Qwen1.5-0.5B's shapes: 1.31 s
with 32 / 32, 1.06 s with 128 / 128; larger groups gained nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ingest.base.cpu import has_bfloat16, usable_cores

GROUP = 128
_LARGEST = 127
_DONE_SUFFIX = "/int8"


def round_model(source: Path, target: Path, progress: Callable[[int, int], None] = lambda _done, _total: None) -> int:
    """Write the OpenVINO model `source` (float16 matrices) to `target` with int8 matrices; returns how many they are.

    `progress` gets (matrices rounded, total). Raises RuntimeError when there are none: such a model is not supported.
    """
    import openvino

    model = openvino.Core().read_model(source)
    matrices = [node for node in model.get_ordered_ops() if _is_matrix(node)]
    if not matrices:
        raise RuntimeError(f"{source.name} has no float16 matrix")
    for number, matrix in enumerate(matrices, 1):
        _replace(matrix)
        progress(number, len(matrices))
    openvino.save_model(model, target, compress_to_fp16=False)
    return len(matrices)


def openvino_options(threads: int = 0) -> dict[str, Any]:
    """OpenVINO's options for a model with such weights on this CPU; 0 threads means all cores.

    Activations are rounded to int8 in groups as large as the weights'; OpenVINO does not round in larger ones.
    """
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if has_bfloat16() else "f32",
        "INFERENCE_NUM_THREADS": threads or usable_cores(),
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP,
    }


def group_size(inputs: int) -> int:
    """The largest of 128, 64, 32 and 16 that divides `inputs`; `inputs`, the whole row, when none does."""
    size = GROUP
    while size >= 16:
        if inputs % size == 0:
            return size
        size //= 2
    return inputs


def round_to_int8(weights: Any) -> tuple[Any, Any]:
    """A matrix as (int8 of shape (outputs, groups, group size), float16 scales of shape (outputs, groups, 1))."""
    outputs, inputs = weights.shape
    size = group_size(inputs)
    grouped = np.asarray(weights, np.float32).reshape(outputs, inputs // size, size)
    scales = (np.abs(grouped).max(axis=-1, keepdims=True) / _LARGEST).astype(np.float16)
    # A group of zeros, or of weights whose scale is too small for float16, becomes zeros.
    divisors = np.where(scales > 0, scales, np.float16(np.inf)).astype(np.float32)
    return np.clip(np.rint(grouped / divisors), -_LARGEST, _LARGEST).astype(np.int8), scales


def restored_matrix(numbers: Any, scales: Any, shape: Sequence[int]) -> Any:
    """The node of a float32 matrix of this shape, from the constant node `numbers` and the scales of `round_to_int8`.

    OpenVINO recognises these operations, and keeps the matrix as int8 while it multiplies.
    """
    from openvino import opset13 as operations

    scaled = operations.multiply(operations.convert(numbers, np.float16), operations.constant(scales))
    target = operations.constant(np.array(shape, np.int64))
    return operations.convert(operations.reshape(scaled, target, False), np.float32)


def _is_matrix(node: Any) -> bool:
    """Whether the node is a constant float16 matrix that is used in float32."""
    if node.get_type_name() != "Constant" or node.get_output_element_type(0).get_type_name() != "f16":
        return False
    users = [port.get_node() for port in node.output(0).get_target_inputs()]
    return len(node.shape) == 2 and min(node.shape) > 1 and [user.get_type_name() for user in users] == ["Convert"]


def _replace(constant: Any) -> None:
    """Replace the matrix in the graph by int8 numbers × scales, which give float32 of the same shape."""
    from openvino import opset13 as operations

    convert = next(iter(constant.output(0).get_target_inputs())).get_node()
    numbers, scales = round_to_int8(constant.data)
    stored = operations.constant(numbers)
    stored.set_friendly_name(constant.get_friendly_name() + _DONE_SUFFIX)
    restored = restored_matrix(stored, scales, constant.shape)
    for port in list(convert.output(0).get_target_inputs()):
        port.replace_source_output(restored.output(0))
