# The cleaning of process.ts in pandas or Polars: python clean.py pandas|polars SOURCE TARGET. Prints seconds and peak memory.
import json
import resource
import sys
import time

library, source, target = sys.argv[1:]
started = time.perf_counter()

if library == "pandas":
    import pandas

    orders = pandas.read_parquet(source)
    orders = orders.dropna(subset=["customer"])
    for column in ["customer", "city"]:
        orders[column] = orders[column].str.strip()
    orders["amount"] = pandas.to_numeric(orders["amount"], errors="coerce")
    orders["total"] = orders["amount"] * orders["quantity"]
    orders = orders[orders["total"] > 10]
    orders = orders.drop_duplicates(subset=["order_id"], keep="first")
    orders.to_parquet(target, compression="zstd", index=False)
    rows = len(orders)
else:
    import polars
    from polars import col

    orders = (
        polars.scan_parquet(source)
        .drop_nulls(["customer"])
        .with_columns(col("customer", "city").str.strip_chars(" "))
        .with_columns(col("amount").cast(polars.Float64, strict=False))
        .with_columns((col("amount") * col("quantity")).alias("total"))
        .filter(col("total") > 10)
        .unique(subset=["order_id"], keep="first", maintain_order=True)
    )
    orders.sink_parquet(target, compression="zstd")
    rows = polars.scan_parquet(target).select(polars.len()).collect().item()

seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "peakBytes": peak, "rows": rows}))
