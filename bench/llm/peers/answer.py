"""What PEFT says to prompts, the likeliest token always: the last line has the ids of each answer.

    python answer.py JOB.json
"""

import json
import os
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

with open(sys.argv[1]) as file:
    job = json.load(file)
path = job["path"]
base = AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32)
model = PeftModel.from_pretrained(base, job["adapter"]).eval()
answers = []
for ids in job["ids"]:
    with torch.no_grad():
        said = model.generate(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=job["tokens"],
            do_sample=False,
            eos_token_id=job["ends"],
            pad_token_id=job["ends"][0],
        )
    answers.append([each for each in said[0, len(ids) :].tolist() if each not in job["ends"]])
print(json.dumps(answers))
