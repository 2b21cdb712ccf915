"""Exports by the OpenTelemetry SDK, waits for the decision that a high latency must lead to, and compares what Cardinal
makes of the samples of a Prometheus with PromQL."""

import json
import os
import signal
import sys
import time
import urllib.parse
import urllib.request

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

CARDINAL, TOKEN, PROMETHEUS, TARGET = sys.argv[1:]
FAILED = []


def ask(url, token=None):
    request = urllib.request.Request(url)
    if token:
        request.add_header("authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def metrics():
    items = ask(f"{CARDINAL}/v1/applications/shop/metrics", TOKEN)["items"]
    return {item["name"]: item for item in items}


def promql(query, at):
    data = ask(f"{PROMETHEUS}/api/v1/query?{urllib.parse.urlencode({'query': query, 'time': at})}")["data"]["result"]
    return float(data[0]["value"][1]) if data else None


def check(name, is_right, words):
    print(f"{'ok    ' if is_right else 'FAILED'} {name}: {words}")
    if not is_right:
        FAILED.append(name)


def provider(instance, delta, exponential):
    """A process that reports every second; deltas and cumulative sums, both kinds of histograms."""
    temporality = AggregationTemporality.DELTA if delta else AggregationTemporality.CUMULATIVE
    exporter = OTLPMetricExporter(
        endpoint=f"{CARDINAL}/v1/otlp/v1/metrics",
        headers={"Authorization": f"Bearer {TOKEN}"},
        compression=Compression.Gzip if delta else Compression.NoCompression,
        preferred_temporality={Counter: temporality, Histogram: temporality},
    )
    views = [View(instrument_type=Histogram, aggregation=ExponentialBucketHistogramAggregation())] if exponential else []
    resource = Resource.create(
        {"cardinal.application": "shop", "service.name": "web", "service.instance.id": instance}
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1000)
    return MeterProvider(metric_readers=[reader], resource=resource, views=views)


def opentelemetry():
    providers = [provider("a", False, False), provider("b", True, True)]
    meters = [one.get_meter("shop") for one in providers]
    bounds = [0.1, 0.25, 0.5, 1.0]
    latency = [
        meter.create_histogram("http.server.request.duration", unit="s", explicit_bucket_boundaries_advisory=bounds)
        for meter in meters
    ]
    requests = [meter.create_counter("http.server.requests", unit="{request}") for meter in meters]
    queue = [meter.create_gauge("queue.length") for meter in meters]
    for i in range(2):
        queue[i].set(3 + i)
    begun = time.time()
    while time.time() - begun < 20:
        for i in range(2):
            requests[i].add(5)
            for _ in range(5):
                latency[i].record(0.4)
        time.sleep(0.05)
    for one in providers:
        one.force_flush()
    sent = 2 * 5 / 0.05
    time.sleep(2)
    seen = metrics()
    print(json.dumps({name: [seen[name]["value"], seen[name]["quality"]] for name in ("latency", "requests", "queue")}))
    check("gauges, summed over instances", seen["queue"]["value"] == 7, seen["queue"]["value"])
    # The bucket around 0.4 s is 0.25 to 0.5; a p90 lies within it.
    check("p90 of histograms of both kinds, in ms", 250 <= seen["latency"]["value"] <= 500, seen["latency"]["value"])
    # 20 seconds of load in a window of a minute that has just begun.
    rate = seen["requests"]["value"]
    check("rate of counters of both temporalities", sent * 0.2 <= rate <= sent * 0.45, rate)
    check("the window is not filled", seen["requests"]["quality"] == "partial", seen["requests"]["quality"])
    check("samples are counted", seen["requests"]["labels"]["samples"] > 20, seen["requests"]["labels"])
    for one in providers:
        one.shutdown()


def decided():
    """The triggers of the decision that the SLO led to."""
    for _ in range(60):
        for summary in ask(f"{CARDINAL}/v1/applications/shop/decisions?limit=20", TOKEN)["items"]:
            decision = ask(f"{CARDINAL}/v1/applications/shop/decisions/{summary['number']}", TOKEN)["decision"]
            violated = [trigger for trigger in decision["triggers"] if "fast" in trigger.get("rules", [])]
            if violated:
                return violated
        time.sleep(0.5)
    return None


def against_promql():
    """Once all samples are here: windows slide over them, and both sides see the same."""
    exact = {
        "mean_load": "sum(sum_over_time(demo_load[30s])) / sum(count_over_time(demo_load[30s]))",
        "peak_load": "max(max_over_time(demo_load[30s]))",
        "loads": "sum(count_over_time(demo_load[30s]))",
        "spread": "max(stddev_over_time(demo_load[30s]))",
        "busiest": "max(avg_over_time(demo_load[30s]))",
    }
    # Their windows end at the time of the reading, and not with the pane.
    near = {
        "speed": "sum(rate(demo_requests_total[30s]))",
        "served": "sum(increase(demo_requests_total{code=~'5.*'}[30s]))",
    }
    worst = dict.fromkeys([*exact, *near], 0.0)
    os.kill(int(TARGET), signal.SIGTERM)
    time.sleep(4)
    for _ in range(8):
        seen, read = metrics(), time.time()
        for name, query in [*exact.items(), *near.items()]:
            # Values are read once a second, and a window of 30 s moves by half a second.
            there = [promql(query, int(read * 2) / 2 - back / 2) for back in range(-1, 5)]
            value = seen[name]["value"]
            apart = min(abs(value - other) / max(abs(other), 1e-9) for other in there if other is not None)
            worst[name] = max(worst[name], apart)
        time.sleep(1.3)
    for name, apart in worst.items():
        limit = 1e-9 if name in exact else 0.03
        check(f"{name} as PromQL computes it", apart <= limit, f"apart by {apart:.2e} at most in 8 readings")


opentelemetry()
violated = decided()
check("a violation leads to a decision", violated is not None, violated)
time.sleep(15)
against_promql()
sys.exit(1 if FAILED else 0)
