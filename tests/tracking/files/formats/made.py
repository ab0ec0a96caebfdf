"""Files as the programs of their formats write them."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import safetensors.numpy
from onnx import TensorProto, helper

WEIGHTS: dict[str, Any] = {
    "layer.weight": np.zeros((4, 3), np.float32),
    "layer.bias": np.zeros(4, np.float16),
    "scale": np.array(1.0),
}


def make_safetensors(path: Path) -> None:
    safetensors.numpy.save_file(WEIGHTS, path, metadata={"format": "np", "made": "here"})


def make_gguf(path: Path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("a small one")
    writer.add_context_length(512)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "c"])
    writer.add_float32("rope", 0.5)
    for name in ("layer.weight", "layer.bias"):
        writer.add_tensor(name, WEIGHTS[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def table() -> pa.Table:
    inner = pa.array([{"x": 1, "y": [1.5]}, {"x": 2, "y": []}])
    times = pa.array([0, 1], pa.timestamp("ms"))
    names = pa.array(["a", None])
    return pa.table({"name": names, "age": pa.array([1, 2], pa.int32()), "at": times, "inner": inner})


def make_parquet(path: Path) -> None:
    pyarrow.parquet.write_table(table(), path)


def make_arrow(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table().schema) as writer:
        writer.write_table(table())


def make_feather(path: Path) -> None:
    pyarrow.feather.write_feather(table(), path)


def make_onnx(path: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [0.0] * 6)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])
    graph = helper.make_graph([node], "g", [given], [answer], [weights])
    onnx.save(helper.make_model(graph, producer_name="tests", opset_imports=[helper.make_opsetid("", 17)]), path)


MAKERS = {
    ".safetensors": make_safetensors,
    ".gguf": make_gguf,
    ".parquet": make_parquet,
    ".arrow": make_arrow,
    ".feather": make_feather,
    ".onnx": make_onnx,
}
