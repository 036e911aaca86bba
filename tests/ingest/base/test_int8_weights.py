"""Rounding weights: what comes back is what went in, to within half a step, in the form OpenVINO computes fast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest.base.int8_weights import GROUP, group_size, round_model, round_to_int8


@pytest.mark.parametrize(("inputs", "size"), [(1024, 128), (2816, 128), (896, 128), (96, 32), (64, 64), (50, 50)])
def test_groups_divide_the_row(inputs: int, size: int) -> None:
    """A row is cut into equal groups of 128, or the largest half, quarter … that fits, or is one group."""
    assert group_size(inputs) == size <= max(GROUP, inputs)


def test_every_weight_is_off_by_half_a_step_at_most() -> None:
    """scale · q differs from w by at most half of its group's scale, and a group's largest weight is all but exact."""
    weights = np.random.default_rng(1).normal(size=(6, 256)).astype(np.float16)
    numbers, scales = round_to_int8(weights)
    assert (numbers.shape, numbers.dtype, scales.shape) == ((6, 2, 128), np.int8, (6, 2, 1))
    again = (numbers.astype(np.float32) * scales.astype(np.float32)).reshape(6, 256)
    steps = np.repeat(scales[:, :, 0].astype(np.float32), 128, axis=1)
    # The scale itself is rounded to float16, which moves the largest number of a group by up to 127 / 2048 of a step.
    assert (np.abs(again - weights.astype(np.float32)) <= (0.5 + 127 / 2048) * steps).all()


def test_a_group_of_zeros_stays_zero() -> None:
    """Unused rows of a vocabulary are zeros; they give zeros and no division by zero."""
    numbers, scales = round_to_int8(np.zeros((2, 128), np.float16))
    assert not numbers.any() and not scales.any()


def test_an_outlier_spoils_its_own_group_only() -> None:
    """One huge weight makes the steps of its group coarse and leaves the others fine."""
    weights = np.full((1, 256), 0.01, np.float32)
    weights[0, 0] = 10.0
    _, scales = round_to_int8(weights)
    assert scales[0, 0, 0] > 100 * scales[0, 1, 0]


def test_a_model_says_the_same_with_rounded_weights(tmp_path: Path) -> None:
    """A matrix used twice, for looking up and for multiplying, is rounded once, and the outputs hardly move."""
    import openvino
    from openvino import opset13 as operations

    random = np.random.default_rng(2)
    table = operations.constant(random.normal(size=(50, 128)).astype(np.float16))
    numbers = operations.parameter([-1], np.int64, name="ids")
    wide = operations.convert(table, np.float32)
    rows = operations.gather(wide, numbers, operations.constant(np.int64(0)))
    result = operations.matmul(rows, wide, False, True)
    original, rounded = tmp_path / "original.xml", tmp_path / "rounded.xml"
    openvino.save_model(openvino.Model([result], [numbers]), original, compress_to_fp16=False)
    assert round_model(original, rounded) == 1
    ids = np.array([3, 7, 49])
    outputs = [
        openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([ids])[0]
        for path in (original, rounded)
    ]
    assert np.abs(outputs[0] - outputs[1]).max() < 0.02 * np.abs(outputs[0]).max()
    assert rounded.with_suffix(".bin").stat().st_size < 0.6 * original.with_suffix(".bin").stat().st_size


def test_a_model_without_matrices_is_refused(tmp_path: Path) -> None:
    """A model without a float16 matrix is not supported: an error, and nothing is saved."""
    import openvino
    from openvino import opset13 as operations

    number = operations.parameter([1], np.float32)
    openvino.save_model(openvino.Model([operations.relu(number)], [number]), tmp_path / "odd.xml")
    with pytest.raises(RuntimeError, match=r"odd\.xml has no float16 matrix"):
        round_model(tmp_path / "odd.xml", tmp_path / "rounded.xml")
    assert not (tmp_path / "rounded.xml").exists()
