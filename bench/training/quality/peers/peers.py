"""Trains peers with their default settings on a table of tables.py, and prints their scores as JSON lines.

    python peers.py TABLE SEED THREADS SYSTEM…
"""

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
import torch
from lightgbm import LGBMClassifier, LGBMRegressor
from pytabkit import (
    RealMLP_TD_Classifier,
    RealMLP_TD_Regressor,
    TabM_D_Classifier,
    TabM_D_Regressor,
)
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor

warnings.filterwarnings("ignore")
THREADS = int(sys.argv[3])
torch.set_num_threads(THREADS)


def frame_of(table):
    """Dates become the numbers that one would make of them by hand."""
    columns = {}
    for i, column in enumerate(table["columns"]):
        values = column["values"]
        if column["kind"] == "date":
            dates = pd.to_datetime(pd.Series(values, dtype=object))
            columns[f"c{i}"] = dates.astype("int64") / 1e9
            columns[f"c{i}_year"] = dates.dt.dayofyear.astype(float)
            columns[f"c{i}_week"] = dates.dt.dayofweek.astype(float)
        elif column["kind"] == "category":
            columns[f"c{i}"] = pd.Series(pd.Categorical(values))
        else:
            columns[f"c{i}"] = pd.Series(values, dtype=float)
    return pd.DataFrame(columns)


def plain(estimator):
    """For estimators that take neither categories nor missing values."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    categories = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=100)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include=float)),
        (categories, make_column_selector(dtype_include="category")),
        sparse_threshold=0,
    )
    return make_pipeline(columns, estimator)


def network(estimator):
    """Takes categories, but no missing numbers."""
    numbers = make_column_selector(dtype_include=float)
    columns = make_column_transformer(
        (SimpleImputer(strategy="median", add_indicator=True), numbers),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(columns.set_output(transform="pandas"), estimator)


CLASSIFIERS = {
    "HistGradientBoosting": lambda s: HistGradientBoostingClassifier(random_state=s, categorical_features="from_dtype"),
    "RandomForest": lambda s: plain(RandomForestClassifier(random_state=s, n_jobs=THREADS)),
    "MLP": lambda s: plain(MLPClassifier(random_state=s)),
    "XGBoost": lambda s: XGBClassifier(random_state=s, n_jobs=THREADS, enable_categorical=True),
    "LightGBM": lambda s: LGBMClassifier(random_state=s, n_jobs=THREADS, verbose=-1),
    "RealMLP (pytabkit)": lambda s: network(RealMLP_TD_Classifier(random_state=s, n_threads=THREADS, device="cpu")),
    "TabM (pytabkit)": lambda s: network(TabM_D_Classifier(random_state=s, n_threads=THREADS, device="cpu")),
}
REGRESSORS = {
    "HistGradientBoosting": lambda s: HistGradientBoostingRegressor(random_state=s, categorical_features="from_dtype"),
    "RandomForest": lambda s: plain(RandomForestRegressor(random_state=s, n_jobs=THREADS)),
    # Its default can't learn targets of another scale.
    "MLP": lambda s: TransformedTargetRegressor(plain(MLPRegressor(random_state=s)), transformer=StandardScaler()),
    "XGBoost": lambda s: XGBRegressor(random_state=s, n_jobs=THREADS, enable_categorical=True),
    "LightGBM": lambda s: LGBMRegressor(random_state=s, n_jobs=THREADS, verbose=-1),
    "RealMLP (pytabkit)": lambda s: network(RealMLP_TD_Regressor(random_state=s, n_threads=THREADS, device="cpu")),
    "TabM (pytabkit)": lambda s: network(TabM_D_Regressor(random_state=s, n_threads=THREADS, device="cpu")),
}


def scores(table, model, x, y):
    if table["task"] == "regression":
        return {"rmse": float(np.sqrt(np.mean((model.predict(x) - y) ** 2)))}
    found = model.predict_proba(x)
    classes = list(range(table["classes"]))
    full = np.zeros((len(y), len(classes)))
    full[:, model.classes_] = found
    return {
        "error": float(np.mean(full.argmax(1) != y)),
        "log_loss": float(log_loss(y, np.clip(full, 1e-15, 1), labels=classes)),
    }


with open(sys.argv[1]) as text:
    table = json.load(text)
x, y = frame_of(table), np.array(table["target"])
test = np.zeros(len(y), bool)
test[table["test"]] = True
estimators = CLASSIFIERS if table["task"] == "classification" else REGRESSORS
seed = int(sys.argv[2])
for name in sys.argv[4:]:
    begin = time.time()
    model = estimators[name](seed).fit(x[~test], y[~test])
    seconds = time.time() - begin
    line = {"table": table["name"], "system": name, "seed": seed, "seconds": seconds}
    print(json.dumps({**line, **scores(table, model, x[test], y[test])}), flush=True)
