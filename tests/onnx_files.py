"""Small ONNX files, built by hand."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def saved(path, nodes, *, inputs, outputs, constants=(), external=None) -> str:
    """Nodes ``(op, inputs, output, attributes)``; inputs and outputs ``name: (type, shape)``; gives the encoder."""
    made = [helper.make_node(op, list(given), [output], **attributes) for op, given, output, attributes in nodes]
    graph = helper.make_graph(
        made,
        "graph",
        *([helper.make_tensor_value_info(name, *told) for name, told in ends.items()] for ends in (inputs, outputs)),
        initializer=[numpy_helper.from_array(np.asarray(values), name) for name, values in dict(constants).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=10)
    saving = {"save_as_external_data": True, "location": external, "size_threshold": 0} if external else {}
    onnx.save(model, str(path), **saving)
    return f"onnx:{path}"


def means(path, *, shape=("n", 3, None, None), kind=FLOAT, factor=1.0, **more) -> str:
    """The mean of every channel, times a factor; and twice of it as another output."""
    sides = [1, 2] if shape[3] == 3 else [2, 3]
    nodes = [
        ("Cast", ["picture"], "numbers", {"to": FLOAT}),
        ("ReduceMean", ["numbers"], "plain", {"axes": sides, "keepdims": more.pop("keepdims", 0)}),
        ("Mul", ["plain", "factor"], "means", {}),
        ("Add", ["means", "means"], "twice", {}),
    ]
    return saved(
        path,
        nodes,
        inputs={"picture": (kind, shape)},
        outputs={"means": (FLOAT, None), "twice": (FLOAT, None)},
        constants={"factor": np.float32(factor)},
        **more,
    )
