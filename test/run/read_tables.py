"""Opens a run's metrics.csv and events.jsonl in pandas. Prints JSON: names, types and values of both, as pandas has them."""
import csv, json, os, sys
import pandas

folder = sys.argv[1]
metrics = pandas.read_csv(os.path.join(folder, "metrics.csv"))
events = pandas.read_json(os.path.join(folder, "events.jsonl"), lines=True)
with open(os.path.join(folder, "metrics.csv"), newline="") as file:
    sample = file.read()
described = lambda frame: {name: str(kind) for name, kind in frame.dtypes.items()}
print(json.dumps({
    "metrics": {"types": described(metrics), "rows": json.loads(metrics.to_json(orient="records", double_precision=15))},
    "events": {"columns": list(events.columns), "types": list(events["type"]),
               "epochs": json.loads(events[events["type"] == "epoch"].to_json(orient="records", double_precision=15))},
    # As a spreadsheet's import guesses.
    "dialect": {"delimiter": csv.Sniffer().sniff(sample).delimiter, "header": csv.Sniffer().has_header(sample)},
}))
