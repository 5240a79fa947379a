"""ONNX Runtime, which only predicts."""

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from peers.job import Call, Job, Trainer, serve


def model(job: Job) -> bytes:
    """Gemm, ReLU, Gemm, softmax: what exporters write for such a network."""
    nodes, values, last = [], [], "x"
    for i, (w, b) in enumerate(job.start()):
        values += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [last, f"w{i}", f"b{i}"], [f"z{i}"], transB=1))
        last = f"a{i}"
        kind = {"axis": 1} if i == len(job.work.sizes) - 2 else {}
        nodes.append(helper.make_node("Softmax" if kind else "Relu", [f"z{i}"], [last], **kind))
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
              for name, size in (("x", job.work.sizes[0]), (last, job.work.sizes[-1]))]
    graph = helper.make_graph(nodes, "network", shapes[:1], shapes[1:], values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()


def predictor(job: Job, x) -> Call:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model(job), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})[0]


def trainer(job: Job) -> Trainer:
    raise NotImplementedError("ONNX Runtime only predicts")


if __name__ == "__main__":
    serve(f"onnxruntime {onnxruntime.__version__}", trainer, predictor)
