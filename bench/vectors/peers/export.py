"""Writes OUTPUT/model.onnx, the plain ONNX export that peers on ONNX Runtime expect, from the weights in FOLDER.

    python export.py FOLDER OUTPUT
"""

import os
import sys

import torch
from transformers import AutoModel

folder, output = sys.argv[1:]
model = AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
model.config.return_dict = False


class Encoder(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]


ids = torch.arange(1000, 1020).reshape(2, 10)
names = ["input_ids", "attention_mask", "token_type_ids"]
os.makedirs(output, exist_ok=True)
torch.onnx.export(
    Encoder(model), (ids, torch.ones_like(ids), torch.zeros_like(ids)), os.path.join(output, "model.onnx"), input_names=names,
    output_names=["last_hidden_state"], opset_version=17, dynamo=False,
    dynamic_axes={name: {0: "batch", 1: "tokens"} for name in [*names, "last_hidden_state"]})
