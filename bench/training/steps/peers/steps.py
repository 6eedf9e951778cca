"""Training steps of a perceptron in PyTorch: one line of input is one round, its answer the milliseconds a step.

    python steps.py WIDTH BATCH CLASSES THREADS SECONDS
"""

import statistics
import sys
import time

import torch

WIDTH, BATCH, CLASSES, THREADS = map(int, sys.argv[1:5])
SECONDS = float(sys.argv[5])
torch.set_num_threads(THREADS)
sizes = [(WIDTH, WIDTH)] * 3 + [(WIDTH, CLASSES)]
layers = [layer for size in sizes for layer in (torch.nn.Linear(*size), torch.nn.ReLU())][:-1]
model = torch.nn.Sequential(*layers)
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
x, y = torch.rand(BATCH, WIDTH), torch.randint(0, CLASSES, (BATCH,))


def step():
    loss = torch.nn.functional.cross_entropy(model(x), y)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()


for _ in range(10):
    step()
print("ready", torch.__version__, flush=True)
for _ in sys.stdin:
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 20:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    print(1000 * statistics.mean(times), flush=True)
