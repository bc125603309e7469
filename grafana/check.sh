#!/bin/sh
# Checks the rules, their tests, the dashboards and every name and query in them.
#
#   grafana/check.sh                 rules and their tests only
#   grafana/check.sh metrics.txt     … and that each metric named exists in that text
#   grafana/check.sh http://127.0.0.1:8081/metrics
#
# Needs promtool (Debian's `prometheus` brings it; installed here if root and
# missing) and Python for the dashboards.
set -eu
page=${1:-}
[ ! -f "$page" ] || page=$(realpath "$page")
cd "$(dirname "$0")"

if ! command -v promtool >/dev/null; then
    echo "installing Debian's prometheus for promtool" >&2
    apt-get update -q >/dev/null
    apt-get install -yq --no-install-recommends prometheus >/dev/null
fi

promtool check config prometheus.yml
promtool test rules alerts_test.yml

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The committed dashboards are what the generator writes.
cp generate.py "$work/" && mkdir "$work/dashboards"
python3 "$work/generate.py"
diff -r dashboards "$work/dashboards" || { echo "run generate.py and commit" >&2; exit 1; }

# Every query of a panel is one that Prometheus can parse: as a rule file, with
# Grafana's own variables filled in.
python3 - "$work/queries.yml" dashboards/*.json <<'PYTHON'
import json, sys

def queries(panel):
    yield from (target["expr"] for target in panel.get("targets", []))
    for inner in panel.get("panels", []):
        yield from queries(inner)

exprs = []
for path in sys.argv[2:]:
    page = json.load(open(path, encoding="utf-8"))
    ids = [panel["id"] for panel in page["panels"]]
    assert len(ids) == len(set(ids)), path
    exprs += [note["expr"] for note in page["annotations"]["list"]]
    exprs += [expr for panel in page["panels"] for expr in queries(panel)]
filled = [e.replace("$__rate_interval", "5m").replace("$__range", "1h") for e in exprs]
rules = [{"record": f"check:{n}", "expr": expr} for n, expr in enumerate(filled)]
# JSON is YAML.
json.dump({"groups": [{"name": "dashboards", "rules": rules}]}, open(sys.argv[1], "w"))
PYTHON
promtool check rules "$work/queries.yml"

case $page in
"") exit 0 ;;
http://* | https://*) curl -fsS "$page" >"$work/metrics" ;;
*) cat "$page" >"$work/metrics" ;;
esac
promtool check metrics <"$work/metrics" || echo "(hints about style only)"
# By type, because a series with labels appears only when something happens.
awk '$1 == "#" && $2 == "TYPE" {
    if ($4 != "histogram") print $3; else { print $3 "_bucket"; print $3 "_sum"; print $3 "_count" }
}' "$work/metrics" | sort -u >"$work/known"
cat dashboards/*.json alerts.yml | grep -oE '\b(aigne_hub|gen_ai|process)_[a-z0-9_]+' |
    grep -vE '^gen_ai_(operation_name|provider_name|request_model|token_type)$' | sort -u >"$work/named"
missing=$(comm -23 "$work/named" "$work/known")
if [ -n "$missing" ]; then
    echo "named here, but not in $page:" >&2
    echo "$missing" >&2
    exit 1
fi
echo "all $(wc -l <"$work/named") metrics exist"
