#!/usr/bin/env python3
"""Writes the dashboards. Panels are rows of the tables below: title, unit, queries.

Run it after a change and commit the JSON with it; `check.sh` refuses a
difference. Needs nothing but Python.
"""

import json
import pathlib

FOLDER = pathlib.Path(__file__).parent / "dashboards"
RATE = "[$__rate_interval]"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Which providers and models a panel shows; our own names and the conventions' ones.
OURS = 'provider=~"$provider",model=~"$model"'
GEN_AI = 'gen_ai_provider_name=~"$provider",gen_ai_request_model=~"$model"'


def quantile(q, metric, by="", labels=""):
    """A quantile over a histogram, by labels if any are given."""
    by = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({by}) (rate({metric}_bucket{{{labels}}}{RATE})))"


def rate(metric, by="", labels=""):
    """A per-second rate, by labels if any are given."""
    by = f" by ({by})" if by else ""
    return f"sum{by} (rate({metric}{{{labels}}}{RATE}))"


def ratio(metric, by, part, whole):
    """The rate of a part of a counter by that of the whole, each chosen by labels."""
    return f"{rate(metric, by, part)} / {rate(metric, by, whole)}"


def quantiles(metric, labels=""):
    """The three quantiles that people ask for."""
    return [(quantile(q, metric, "", labels), name) for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))]


def panel(title, unit, queries, about="", kind="timeseries", stack=False):
    """One panel; the place on the page is given by `dashboard`."""
    custom = {"fillOpacity": 10, "lineWidth": 1, "showPoints": "never"}
    if stack:
        custom |= {"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 40}
    return {
        "title": title,
        "description": about,
        "type": kind,
        "datasource": DATASOURCE,
        "fieldConfig": {
            "defaults": {"unit": unit, "min": 0, "custom": custom if kind == "timeseries" else {}},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
        if kind == "timeseries"
        else {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value"},
        "targets": [
            {"datasource": DATASOURCE, "expr": expr, "legendFormat": legend, "refId": chr(65 + index)}
            for index, (expr, legend) in enumerate(queries)
        ],
    }


def variable(name, query, label):
    """A choice at the top of the page, everything by default."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def dashboard(uid, title, about, rows, models=True):
    """Rows of (heading, panels), three panels wide."""
    panels, y = [], 0
    for heading, row in rows:
        panels.append(
            {"type": "row", "title": heading, "collapsed": False, "panels": [], "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}}
        )
        y += 1
        for index, made in enumerate(row):
            panels.append(made | {"gridPos": {"h": 8, "w": 8, "x": index % 3 * 8, "y": y + index // 3 * 8}})
        y += (len(row) + 2) // 3 * 8
    for index, made in enumerate(panels):
        made["id"] = index + 1
    variables = [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
    if models:
        variables += [
            variable("provider", "label_values(aigne_hub_requests_total, provider)", "Provider"),
            variable("model", 'label_values(aigne_hub_requests_total{provider=~"$provider"}, model)', "Model"),
        ]
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["aigne-hub"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "links": [
            {"title": "AIGNE Hub", "type": "dashboards", "tags": ["aigne-hub"], "asDropdown": True, "keepTime": True}
        ],
        "templating": {"list": variables},
        "annotations": {
            "list": [
                {
                    "name": "Configuration changed",
                    "datasource": DATASOURCE,
                    "enable": True,
                    "expr": "changes(aigne_hub_config_version[1m]) > 0",
                    "iconColor": "blue",
                    "titleFormat": "configuration changed",
                }
            ]
        },
        "panels": panels,
    }


FAILED = OURS + ',status_class="5xx"'
ASKED = OURS + ',outcome!~"invalid|blocked|rate_limited|no_funds|cache_hit|coalesced"'
OWN = 'phase!~"body|upstream_wait"'

OVERVIEW = [
    (
        "Traffic",
        [
            panel("Requests by operation", "reqps", [(rate("aigne_hub_requests_total", "op", OURS), "{{op}}")], stack=True),
            panel("Requests by model", "reqps", [(f"topk(10, {rate('aigne_hub_requests_total', 'provider, model', OURS)})", "{{provider}} {{model}}")]),
            panel("In flight", "short", [("sum by (op) (aigne_hub_in_flight_requests)", "{{op}}")], stack=True),
        ],
    ),
    (
        "Errors",
        [
            panel(
                "Share of 5xx",
                "percentunit",
                [(ratio("aigne_hub_requests_total", "", FAILED, OURS), "5xx")],
            ),
            panel("Outcomes other than ok", "reqps", [(rate("aigne_hub_requests_total", "outcome", OURS + ',outcome!="ok"'), "{{outcome}}")], stack=True),
            panel("Errors by kind", "reqps", [(f"{rate('aigne_hub_errors_total', 'kind, blame')} > 0", "{{kind}} ({{blame}})")]),
        ],
    ),
    (
        "Latency",
        [
            panel("Time to first token", "s", quantiles("gen_ai_server_time_to_first_token_seconds", GEN_AI), "From accept to the first token on its way to the caller."),
            panel("Time to first token by model, p95", "s", [(quantile(0.95, "gen_ai_server_time_to_first_token_seconds", "gen_ai_request_model", GEN_AI), "{{gen_ai_request_model}}")]),
            panel("Time per output token", "s", quantiles("gen_ai_server_time_per_output_token_seconds", GEN_AI), "Streamed tokens after the first."),
            panel("Duration", "s", quantiles("gen_ai_server_request_duration_seconds", GEN_AI)),
            panel("Duration by operation, p95", "s", [(quantile(0.95, "gen_ai_server_request_duration_seconds", "gen_ai_operation_name", GEN_AI), "{{gen_ai_operation_name}}")]),
            panel("Added by the hub", "s", quantiles("aigne_hub_overhead_duration_seconds"), "All phases but the waits for the body, for a connection and for the vendor."),
        ],
    ),
    (
        "Tokens and money",
        [
            panel("Tokens by kind", "short", [(rate("aigne_hub_tokens_total", "kind", OURS), "{{kind}}")], "Per second; a token is in one kind only.", stack=True),
            panel("Input tokens of a request", "short", quantiles("gen_ai_client_token_usage", GEN_AI + ',gen_ai_token_type="input"')),
            panel(
                "Input read from the vendors' cache",
                "percentunit",
                [(ratio("aigne_hub_tokens_total", "", OURS + ',kind="cache_read"', OURS + ',kind=~"input|cache_.*"'), "share")],
            ),
            panel("Cost per hour", "currencyUSD", [(f"3600 * {rate('aigne_hub_cost_nano_usd_total', 'provider, model', OURS)} / 1e9", "{{provider}} {{model}}")], stack=True),
            panel("Cost in the time shown", "currencyUSD", [(f"sum(increase(aigne_hub_cost_nano_usd_total{{{OURS}}}[$__range])) / 1e9", "")], "An approximation; the ledger has the exact sum.", kind="stat"),
            panel("Where token counts come from", "reqps", [(rate("aigne_hub_usage_source_total", "source"), "{{source}}")], "`estimated` means that a vendor did not report usage.", stack=True),
        ],
    ),
]

UPSTREAM = [
    (
        "Attempts",
        [
            panel("Attempts by result", "reqps", [(rate("aigne_hub_upstream_attempts_total", "result", OURS), "{{result}}")], stack=True),
            panel("Failed attempts by provider", "reqps", [(rate("aigne_hub_upstream_attempts_total", "provider, result", OURS + ',result!="ok"'), "{{provider}} {{result}}")]),
            panel(
                "Share of attempts that succeed",
                "percentunit",
                [(ratio("aigne_hub_upstream_attempts_total", "provider", OURS + ',result="ok"', OURS), "{{provider}}")],
            ),
            panel("Vendor's time to first byte, p95", "s", [(quantile(0.95, "gen_ai_client_operation_time_to_first_chunk_seconds", "gen_ai_provider_name, gen_ai_request_model", GEN_AI), "{{gen_ai_provider_name}} {{gen_ai_request_model}}")]),
            panel("Whole operation at vendors", "s", quantiles("gen_ai_client_operation_duration_seconds", GEN_AI), "Every attempt of a request included."),
            panel("Waits", "s", [(quantile(0.95, "aigne_hub_phase_duration_seconds", "phase", 'phase=~"connect|send"'), "{{phase}} p95")], "Connecting and sending."),
        ],
    ),
    (
        "Ways out",
        [
            panel("Retries and fallbacks", "reqps", [(rate("aigne_hub_retries_total"), "retries"), (rate("aigne_hub_fallbacks_total"), "fallbacks")]),
            panel("Attempts per request", "short", [(f"{rate('aigne_hub_upstream_attempts_total', '', OURS)} / {rate('aigne_hub_requests_total', '', ASKED)}", "attempts")], "Of the requests that reach a vendor."),
            panel("No capacity left", "reqps", [(rate("aigne_hub_errors_total", "kind", 'kind="no_capacity"'), "{{kind}}")]),
        ],
    ),
    (
        "Credentials",
        [
            panel("Not ready", "short", [('sum by (provider, credential, state) (aigne_hub_credential_state{provider=~"$provider",state!="ready"}) > 0', "{{credential}} {{state}}")]),
            panel("Ready", "short", [('sum by (provider) (aigne_hub_credential_state{provider=~"$provider",state="ready"})', "{{provider}}")]),
            panel("In flight", "short", [('sum by (provider, credential) (aigne_hub_credential_in_flight{provider=~"$provider"})', "{{credential}}")], stack=True),
        ],
    ),
]

INTERNALS = [
    (
        "Own time",
        [
            panel("Phases, mean", "s", [(f"{rate('aigne_hub_phase_duration_seconds_sum', 'phase', OWN)} / {rate('aigne_hub_phase_duration_seconds_count', 'phase', OWN)}", "{{phase}}")], stack=True),
            panel("Phases, p99", "s", [(quantile(0.99, "aigne_hub_phase_duration_seconds", "phase", OWN), "{{phase}}")]),
            panel("Overhead", "s", quantiles("aigne_hub_overhead_duration_seconds")),
        ],
    ),
    (
        "Ledger",
        [
            panel("Entries", "short", [(rate("aigne_hub_ledger_appended_total"), "appended"), (rate("aigne_hub_ledger_settled_total"), "settled"), (rate("aigne_hub_ledger_recovered_total"), "recovered")], "Per second."),
            panel("Waiting", "short", [("sum(aigne_hub_ledger_queue_depth)", "queue"), ("sum(aigne_hub_ledger_open_intents)", "open intents")]),
            panel("Failed writes", "short", [("sum(increase(aigne_hub_ledger_errors_total[$__rate_interval]))", "errors")]),
            panel("Flush", "s", quantiles("aigne_hub_ledger_flush_duration_seconds")),
            panel("Entries of a flush", "short", quantiles("aigne_hub_ledger_flush_entries")),
            panel("Disk", "bytes", [("sum(aigne_hub_ledger_disk_bytes)", "ledger")]),
        ],
    ),
    (
        "Cache and limits",
        [
            panel("Cache", "reqps", [(rate("aigne_hub_cache_requests_total", "status"), "{{status}}")], stack=True),
            panel("Cache memory", "bytes", [("sum(aigne_hub_cache_bytes)", "cache")]),
            panel("Cache entries and flights", "short", [("sum(aigne_hub_cache_entries)", "entries"), ("sum(aigne_hub_flights)", "flights"), ("sum(aigne_hub_waiting_answers)", "answers waiting for their callers")]),
            panel("Kept responses", "bytes", [("sum(aigne_hub_responses_bytes)", "kept")]),
            panel("Refused by limit", "reqps", [(rate("aigne_hub_limited_total", "limit"), "{{limit}}")], stack=True),
            panel("Quotas that are used up", "short", [("sum by (of, measure) (aigne_hub_quotas_exhausted)", "{{of}} {{measure}}")], "Of all counters of hard quotas."),
            panel("Notices", "short", [("sum(aigne_hub_notices_pending)", "on their way"), ("sum(aigne_hub_notices_dead)", "given up"), (rate("aigne_hub_notices_failed_total"), "failed attempts a second")]),
            panel("Bodies", "Bps", [(rate("aigne_hub_request_body_bytes_total"), "from callers"), (rate("aigne_hub_response_body_bytes_total"), "to callers")]),
            panel("Bodies in memory", "bytes", [("sum(aigne_hub_buffered_bytes)", "buffered")]),
        ],
    ),
    (
        "Process",
        [
            panel("Memory", "bytes", [("process_resident_memory_bytes{job=~\".*aigne.*\"}", "{{instance}}")]),
            panel("CPU", "short", [("rate(process_cpu_seconds_total{job=~\".*aigne.*\"}[$__rate_interval])", "{{instance}}")], "Cores."),
            panel("Open files", "short", [("process_open_fds{job=~\".*aigne.*\"}", "{{instance}}"), ("process_max_fds{job=~\".*aigne.*\"}", "{{instance}} most")]),
            panel("Configuration", "short", [("aigne_hub_config_version", "version {{instance}}"), ("aigne_hub_config_reload_failures_total", "refused {{instance}}")]),
            panel("Lost by our own limits", "short", [(rate("aigne_hub_series_dropped_total"), "counted as other"), (rate("aigne_hub_log_lines_dropped_total"), "log lines")], "Per second."),
            panel("Builds", "short", [("sum by (version) (aigne_hub_build_info)", "{{version}}")]),
        ],
    ),
]


def main():
    """Writes every dashboard."""
    pages = {
        "overview": dashboard("aigne-hub-overview", "AIGNE Hub: overview", "Traffic, errors, latency, tokens, cost.", OVERVIEW),
        "upstream": dashboard("aigne-hub-upstream", "AIGNE Hub: upstream", "Attempts, credentials, retries, fallbacks.", UPSTREAM),
        "internals": dashboard("aigne-hub-internals", "AIGNE Hub: internals", "Own time, ledger, cache, limits, process.", INTERNALS, models=False),
    }
    for name, page in pages.items():
        text = json.dumps(page, indent=1, sort_keys=True, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
