"""Teaches PEFT's LoRA what JOB.json says, and measures it and the adapters that the job names: the last line has the held-out losses.

    python quality.py JOB.json
"""

import json
import math
import os
import random
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

with open(sys.argv[1]) as file:
    job = json.load(file)
path, settings = job["path"], job["settings"]
torch.set_num_threads(job["threads"])
names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def base():
    return AutoModelForCausalLM.from_pretrained(
        os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32
    )


def loss_of(model, samples):
    """The sum over all tokens that are learnt, and their number."""
    longest = max(len(each["ids"]) for each in samples)
    ids = torch.zeros(len(samples), longest, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, each in enumerate(samples):
        length = len(each["ids"])
        ids[row, :length] = torch.tensor(each["ids"])
        mask[row, :length] = 1
        learnt = torch.tensor(each["learnt"], dtype=torch.bool)
        labels[row, :length][learnt] = ids[row, :length][learnt]
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    targets = labels[:, 1:]
    total = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum")
    return total, int((targets != -100).sum())


@torch.no_grad()
def held_out(model):
    model.eval()
    found = [loss_of(model, job["samples"]["heldOut"][i : i + 8]) for i in range(0, len(job["samples"]["heldOut"]), 8)]
    return float(sum(total for total, _ in found)) / sum(count for _, count in found)


def taught(seed):
    torch.manual_seed(seed)
    model = get_peft_model(base(), LoraConfig(r=16, lora_alpha=32, lora_dropout=0, target_modules=names))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=settings["learningRate"], weight_decay=0.01)
    samples, size = job["samples"]["taught"], settings["batchSize"]
    steps = math.ceil(len(samples) / size)
    whole, step = steps * settings["epochs"], 0
    warm = max(1, round(whole / 10))
    for epoch in range(settings["epochs"]):
        order = random.Random(seed * 1000 + epoch).sample(samples, len(samples))
        for i in range(steps):
            turn = (step - warm) / max(1, whole - warm)
            rate = (step + 1) / warm if step < warm else (1 + math.cos(math.pi * turn)) / 2
            for group in optimiser.param_groups:
                group["lr"] = settings["learningRate"] * rate
            total, count = loss_of(model, order[i * size : (i + 1) * size])
            (total / count).backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            optimiser.zero_grad()
            step += 1
    return held_out(model)


found = {"the base": [held_out(base())]}
found["PEFT"] = [taught(seed) for seed in job["seeds"]]
found["Vectorium"] = [held_out(PeftModel.from_pretrained(base(), adapter)) for adapter in job["adapters"]]
print(json.dumps(found))
