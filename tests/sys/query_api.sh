#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# thanosfs query on a mount answers as a Prometheus on copies of the same blocks, serves promtool and what Grafana probes for, and
# neither bad input nor slow, silent or leaving clients do it harm.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/query.bash"
need_fuse
need prometheus promtool curl jq python3 openssl

END=1699999200
AT=$((END - 9200))
# Ten thousand steps of some series, and for each of them 1,800 values are sorted.
ENDLESS='query=sum(quantile_over_time(0.5, node_cpu_seconds_total[30m:1s]))'

"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 6 --end ${END}000 --instances 2 >/dev/null
mount_bucket mount "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica
mapfile -t blocks < <(blocks_of "$WORK/mnt" | sed "s,^,$WORK/mnt/,")
tsdb_of "$WORK/prom" "${blocks[@]}"
prometheus_start prometheus "$WORK/prom"
query_start query --tsdb.path="$WORK/mnt" --query.timeout=30m

# same PATH CURL-ARGUMENTS...: both answer the same, status and all, but for annotations, which Prometheus 2 hasn't.
compared=0
same() {
	local path=$1 ours theirs
	shift
	ours=$(status_of "$@" "$QUERY_URL$path" && jq -cS 'del(.warnings, .infos)' "$WORK/body")
	theirs=$(status_of "$@" "$PROM_URL$path" && jq -cS 'del(.warnings, .infos)' "$WORK/body")
	[[ $ours == "$theirs" ]] || fail "$path $*: ours is ${ours:0:400}, Prometheus' ${theirs:0:400}"
	compared=$((compared + 1))
}

same /api/v1/labels
same "/api/v1/labels?match[]=up&match[]=node_load1&start=$((AT - 600))&end=$AT"
same /api/v1/label/job/values
same '/api/v1/label/__name__/values?match[]={job="node"}'
same /api/v1/label/nosuch/values
same '/api/v1/series?match[]=up&match[]=node_load1'
same '/api/v1/series?match[]=up&start=0&end=1'
same '/api/v1/series?match[]={}'
same /api/v1/series
same /api/v1/metadata
same /api/v1/rules
same /api/v1/alerts
same /api/v1/alertmanagers
same '/api/v1/query_exemplars?query=up'
same '/api/v1/format_query?query=sum(rate(up[5m]))/up'
same "/api/v1/query?query=up[1m]&time=$AT"
for query in 'rate(up' 'nosuch(up)' 'up{a=b}' '1 + '; do
	same /api/v1/query --data-urlencode "query=$query"
done
# shellcheck disable=SC2016 # the $ is the expression's
for query in up 'node_load1 > 0' 'count by (job) (up)' 'topk(3, node_load1)' 'sort_desc(node_load5)' 'scalar(up)' '1 / 0' \
	'max(node_memory_MemTotal_bytes)' 'node_load1 offset 1h' 'max_over_time(node_load1[10m])' 'absent(nosuch{a="b"})' \
	'{__name__=~"node_load.*", instance!~"nosuch.*"}' 'label_replace(up, "x", "$1", "job", "(.).*")' 'up and on (job) node_load1' \
	'histogram_quantile(0.9, sum by (le) (http_request_duration_seconds_bucket))'; do
	same /api/v1/query --data-urlencode "query=$query" -d "time=$AT"
	same /api/v1/query_range --data-urlencode "query=$query" -d "start=$((AT - 3600))&end=$AT&step=60"
done
same "/api/v1/query_range?query=up&start=$AT&end=$((AT - 1))&step=1"
same "/api/v1/query_range?query=up&start=$AT&end=$AT&step=0"
same '/api/v1/query_range?query=up&start=0&end=11001&step=1'
say "$compared answers are Prometheus' own"

# promtool and Grafana.
if promtool check healthy --help >/dev/null 2>&1; then # not before 2.43
	promtool check healthy --url="$QUERY_URL" >/dev/null
	promtool check ready --url="$QUERY_URL" >/dev/null
fi
for args in "instant URL up --time=$AT" "range URL up --start=$((AT - 60)) --end=$AT --step=30s" "series URL --match=up --start=$((AT - 60)) --end=$AT" \
	"labels URL job --start=$((AT - 60)) --end=$AT"; do
	read -ra words <<<"$args"
	ours=$(promtool query "${words[@]/URL/$QUERY_URL}")
	theirs=$(promtool query "${words[@]/URL/$PROM_URL}")
	[[ -n $ours ]] || fail "promtool query $args gives nothing"
	check_equal "$ours" "$theirs" "promtool query $args"
	# promtool has an order of its own for the series of a range.
	ours=$("$THANOSFS" tools query "${words[@]/URL/$QUERY_URL}" | sort)
	check_equal "$ours" "$(sort <<<"$theirs")" "thanosfs tools query $args"
	ours=$("$THANOSFS" tools query "${words[@]/URL/$QUERY_URL}" -o json | jq -cS .)
	check_equal "$ours" "$(promtool query "${words[@]/URL/$PROM_URL}" -o json | jq -cS .)" "thanosfs tools query $args -o json"
done
check_equal "$(curl "${CURL[@]}" --data-urlencode 'query=1+1' "$QUERY_URL/api/v1/query" | jq -r '.data.result[1]')" 2 "1+1"
check_equal "$(curl "${CURL[@]}" "$QUERY_URL/api/v1/status/buildinfo" | jq -r .status)" success "buildinfo"
check_has "$(curl "${CURL[@]}" "$QUERY_URL/api/v1/rules/test/test")" "page not found" "what Grafana probes rules with"
check_equal "$(status_of "$QUERY_URL/federate?match[]=up")" 200 "the status of a federation"
check_has "$(curl "${CURL[@]}" --compressed -D - "$QUERY_URL/api/v1/series?match[]={job!=\"\"}")" "Content-Encoding: gzip" "a long answer's headers"

# The newest block stands for Prometheus' head.
newest=$(for block in "${blocks[@]}"; do echo "$(jq .maxTime "$block/meta.json") $block"; done | sort -n | tail -n 1 | cut -d' ' -f2)
curl "${CURL[@]}" "$QUERY_URL/api/v1/status/tsdb?limit=1" >"$WORK/tsdb"
check_equal "$(jq -c '.data.headStats | [.numSeries, .chunkCount, .minTime, .maxTime + 1]' "$WORK/tsdb")" \
	"$(jq -c '[.stats.numSeries, .stats.numChunks, .minTime, .maxTime]' "$newest/meta.json")" "the statistics"
most=$(jq -r '.data.seriesCountByMetricName[0].name' "$WORK/tsdb")
check_equal "$(jq '.data.seriesCountByMetricName[0].value' "$WORK/tsdb")" "$(curl "${CURL[@]}" "$QUERY_URL/api/v1/series" \
	-d "match[]=$most" -d "start=$(jq '.minTime / 1000' "$newest/meta.json")" | jq '.data | length')" "the series of $most"
check_equal "$(jq -r '.data.seriesCountByLabelValuePair | length' "$WORK/tsdb")" 1 "the lines of a table"

said=$("$THANOSFS" tools query instant "$QUERY_URL" 'up(' 2>&1) && fail "a query that doesn't parse succeeds"
check_has "$said" 'query error: bad_data: invalid parameter "query": 1:4: parse error' "what the client says"

# Bad input costs its sender an error, and nobody else anything.
refused() { # STATUS WHAT CURL-ARGUMENTS...
	local want=$1 what=$2
	shift 2
	check_equal "$(status_of "$@")" "$want" "the status of $what"
	check_equal "$(status_of "$QUERY_URL/api/v1/query?query=1")" 200 "the status after $what"
}
head -c 10000000 /dev/zero | tr '\0' 'a' >"$WORK/long"
refused 413 "a query of 10 MB" --data-urlencode "query@$WORK/long" "$QUERY_URL/api/v1/query"
{ printf 'query=' && head -c 2000000 /dev/zero | tr '\0' 'a'; } >"$WORK/form"
refused 400 "a query of 2 MB" -d "@$WORK/form" "$QUERY_URL/api/v1/query"
{ printf 'query=' && head -c 100000 /dev/zero | tr '\0' '(' && printf 1; } >"$WORK/form"
refused 400 "100,000 parentheses" -d "@$WORK/form" "$QUERY_URL/api/v1/query"
# shellcheck disable=SC2016
printf 'label_replace(label_replace(vector(1), "x", "%s!", "", ""), "y", "$1", "x", "(a+)+$")' "$(head -c 60000 "$WORK/long")" >"$WORK/regex"
refused 200 "(a+)+$ on a long label" --data-urlencode "query@$WORK/regex" "$QUERY_URL/api/v1/query"
refused 422 "a cross join" --data-urlencode "query={job=\"node\"} * on () {job=\"node\"}" -d "time=$AT" "$QUERY_URL/api/v1/query"
refused 400 "bytes that are no UTF-8" -d 'query=%ff%fe' "$QUERY_URL/api/v1/query"
refused 404 "a path with dots" --path-as-is "$QUERY_URL/api/v1/../../etc/passwd"
refused 405 "a method" -X DELETE "$QUERY_URL/api/v1/query"
refused 503 "a query without measure" --data-urlencode "$ENDLESS" -d "start=$((AT - 10000))&end=$AT&step=1&timeout=10ms" \
	"$QUERY_URL/api/v1/query_range"
say "bad input was refused"

# Clients that send half of a request, or read nothing, hold nobody up; one that leaves ends its query.
python3 - "$QUERY_PORT" <<'PY' &
import socket, sys, time
port = int(sys.argv[1])
held = []
for i in range(100):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nquery=" if i % 2 else b"GET /api/v1/que")
    held.append(s)
for i in range(20):
    s = socket.create_connection(("127.0.0.1", port))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.sendall(b"GET /api/v1/series?match[]={job!=\"\"} HTTP/1.1\r\nHost: x\r\n\r\n")
    held.append(s)
time.sleep(3600)
PY
holder=$!
pids+=("$holder")
for _ in 1 2 3 4 5; do
	same /api/v1/query --data-urlencode 'query=sum(up)' -d "time=$AT"
done
stop "$holder" || true
running() { curl "${CURL[@]}" "$QUERY_URL/api/v1/status/runtimeinfo" | jq -e ".data.runningQueries == $1"; }
curl "${CURL[@]}" -o /dev/null --data-urlencode "$ENDLESS" -d "start=$((AT - 10000))&end=$AT&step=1" \
	"$QUERY_URL/api/v1/query_range" &
client=$!
pids+=("$client")
wait_until 60 "the query runs" running 1
stop "$client" || true
wait_until 60 "the query of a client that has left is over" running 0
say "slow, silent and leaving clients did no harm"

stop "$QUERY_PID" || fail "thanosfs query ended with $? on SIGTERM"

# TLS and users.
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/tls.key" -out "$WORK/tls.crt" -days 2 -subj /CN=localhost \
	-addext 'subjectAltName=IP:127.0.0.1' 2>/dev/null
# "secret"
printf 'tls_server_config: {cert_file: tls.crt, key_file: tls.key}\nbasic_auth_users:\n  alice: %s\n' \
	"\$2b\$04\$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" >"$WORK/web.yml"
CURL=(-gsS --cacert "$WORK/tls.crt" -u alice:secret)
SCHEME=https query_start secured --tsdb.path="$WORK/mnt" --web.config.file="$WORK/web.yml" --web.route-prefix=/
check_equal "$(status_of "$QUERY_URL/api/v1/query?query=1")" 200 "the status with a password"
check_equal "$(status_of -u alice:wrong "$QUERY_URL/api/v1/query?query=1")" 401 "the status with a wrong password"
check_equal "$(curl -gsS --cacert "$WORK/tls.crt" -o /dev/null -w '%{http_code}' "$QUERY_URL/-/healthy")" 401 "the status without a password"
! curl -gsS -m 20 "http://127.0.0.1:$QUERY_PORT/-/healthy" 2>/dev/null | grep -q Healthy || fail "it serves without TLS, too"
# What the file says is taken up when the server is told to, or has seen that it changed; a bad one leaves things as they were.
reload_is() { curl "${CURL[@]}" "$QUERY_URL/metrics" | grep -q "^thanosfs_query_config_last_reload_successful $1\$"; }
reload_is 1
cp "$WORK/web.yml" "$WORK/web.good"
echo 'basic_auth_users: {alice: secret}' >>"$WORK/web.yml"
check_equal "$(status_of -X POST "$QUERY_URL/-/reload")" 500 "the status of a reload of a bad file"
check_has "$(cat "$WORK/body")" "failed to reload config: $WORK/web.yml" "what a reload of a bad file says"
reload_is 0 || fail "the metric doesn't show that a reload failed"
sed 's/alice/bob/' "$WORK/web.good" >"$WORK/web.yml"
check_equal "$(status_of -X POST "$QUERY_URL/-/reload")" 200 "the status of a reload"
check_equal "$(status_of "$QUERY_URL/-/healthy")" 401 "the status of a user that is no more"
CURL=(-gsS --cacert "$WORK/tls.crt" -u bob:secret)
reload_is 1 || fail "the metric doesn't show that a reload succeeded"
cp "$WORK/web.good" "$WORK/web.yml"
kill -HUP "$QUERY_PID"
CURL=(-gsS --cacert "$WORK/tls.crt" -u alice:secret)
wait_until 10 "SIGHUP brings the first user back" reload_is 1
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/tls2.key" -out "$WORK/tls2.crt" -days 2 -subj /CN=localhost \
	-addext 'subjectAltName=IP:127.0.0.1' 2>/dev/null
mv "$WORK/tls2.key" "$WORK/tls.key"
cp "$WORK/tls2.crt" "$WORK/tls.crt"
# Only who trusts the new certificate can ask now.
wait_until 30 "a renewed certificate is taken up by itself" reload_is 1
stop "$QUERY_PID" || fail "thanosfs query ended with $? on SIGTERM"

# What can't be honoured, or isn't there, is said at start.
echo 'tls_server_config: {cert_file: nosuch.crt, key_file: tls.key}' >"$WORK/web.yml"
for flags in "--tsdb.path=$WORK/absent" "--tsdb.path=$WORK/mnt --web.config.file=$WORK/web.yml" "--tsdb.path=$WORK/mnt --web.cors.origin=("; do
	read -ra words <<<"$flags"
	status=0
	said=$(timeout 60 "$THANOSFS" query --http-address=127.0.0.1:0 "${words[@]}" 2>&1) || status=$?
	check_equal "$status" 1 "the exit status with $flags"
	check_has "$said" "level=error" "what is said with $flags"
done
unmount "$MOUNT_PID" "$WORK/mnt"
