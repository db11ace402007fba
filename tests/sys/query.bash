# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For tests of the query server. Source after lib.sh.

# query_start NAME FLAGS...: on a free loopback port; sets QUERY_PID, QUERY_PORT and QUERY_URL; ready when this returns. $CURL are curl's
# flags, $SCHEME is https for a server with TLS.
CURL=(-gsS)
query_start() {
	local name=$1 scheme=${SCHEME:-http}
	shift
	QUERY_PORT=$(free_port)
	QUERY_URL=$scheme://127.0.0.1:$QUERY_PORT
	logs+=("$WORK/$name.log")
	"$THANOSFS" query --http-address="127.0.0.1:$QUERY_PORT" "$@" >>"$WORK/$name.log" 2>&1 </dev/null 3>&- &
	QUERY_PID=$!
	pids+=("$QUERY_PID")
	wait_until 60 "thanosfs query is ready" curl "${CURL[@]}" -f -o /dev/null "$QUERY_URL/-/ready"
}

# status_of CURL-ARGUMENTS...: the HTTP status; the body goes to $WORK/body.
status_of() { curl "${CURL[@]}" -m $((60 * PATIENCE)) -o "$WORK/body" -w '%{http_code}' "$@"; }

# query_of EXPR [UNIX_SECONDS]: the status of an instant query; the body goes to $WORK/body.
query_of() { status_of --data-urlencode "query=$1" ${2:+--data-urlencode "time=$2"} "$QUERY_URL/api/v1/query"; }
