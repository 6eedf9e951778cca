"""Runs a model on raw columns: python model.py MODEL.onnx COLUMNS.json → its outputs as JSON, flat."""

import json
import sys

import numpy as np
import onnxruntime

model, path = sys.argv[1:]
with open(path) as file:
    given = json.load(file)


def column(name, kind):
    values = given["columns"][name]
    if kind == "text":
        return np.array(values, dtype=np.float32)
    if kind in ("number", "boolean"):
        return np.array([[float("nan") if value is None else value] for value in values], dtype=np.float64)
    return np.array([[value] for value in values], dtype=object)


session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
names = {value.name for value in session.get_inputs()}
feeds = {f["name"]: column(f["name"], f["kind"]) for f in given["features"]}
assert names == set(feeds), (names, set(feeds))
outputs = session.run(None, feeds)
print(json.dumps({o.name: np.asarray(v, dtype=np.float64).ravel().tolist() for o, v in zip(session.get_outputs(), outputs)}))
