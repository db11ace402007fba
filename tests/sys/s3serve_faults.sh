#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The S3 test server does what its rules say, no more often than they say, and serves as before when they end; curl signs.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/s3.bash"
need curl openssl

start_s3serve own
mkdir -p "$S3_DIR/a"
head -c 300000 /dev/urandom >"$S3_DIR/a/object"
object=$S3_DIR/a/object

# fetch [CURL ARGUMENTS...]: the object to $WORK/got, with its head in $WORK/head; prints the status. STATUS is curl's own.
fetch() {
	STATUS=0
	CODE=$(curl -s -m 10 --max-filesize 100000000 --aws-sigv4 "aws:amz:$S3_REGION:s3" --user "$S3_ACCESS_KEY:$S3_SECRET_KEY" \
		-H x-amz-content-sha256:UNSIGNED-PAYLOAD -o "$WORK/got" -D "$WORK/head" -w '%{http_code}' "$@" \
		"$S3_SCHEME://$S3_ENDPOINT/$S3_BUCKET/a/object") || STATUS=$?
}
is_whole() { cmp -s "$object" "$WORK/got"; }
check_fetch() { # RULE CODE CURL_STATUS [CURL ARGUMENTS...]
	local rule=$1 code=$2 status=$3
	shift 3
	s3_faults "$rule times=1"
	fetch "$@"
	check_equal "$CODE $STATUS" "$code $status" "what curl says of '$rule'"
	check_equal "$(s3_struck)" 1 "how often '$rule' struck"
}

say "a good answer"
fetch
check_equal "$CODE $STATUS" "200 0" "what curl says"
is_whole || fail "the object is another"
etag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' "$WORK/head")
fetch -r 100-199
check_equal "$CODE $(stat -c %s "$WORK/got")" "206 100" "a range"
cmp -s <(tail -c +101 "$object" | head -c 100) "$WORK/got" || fail "the range is another"
fetch -r -5 -H "If-Match: $etag"
check_equal "$CODE $(stat -c %s "$WORK/got")" "206 5" "a range of the last bytes"
fetch -r 300000-
check_equal "$CODE" 416 "a range behind the end"
fetch -H 'If-Match: "other"'
check_equal "$CODE" 412 "another ETag"

say "faults of status"
check_fetch "do=status code=503 retry-after=7" 503 0
check_has "$(cat "$WORK/head")" "Retry-After: 7" "the head"
check_has "$(cat "$WORK/got")" "<Code>SlowDown</Code>" "the body"
check_fetch "do=html" 200 0
check_has "$(cat "$WORK/got")" "<html>" "the body"
check_fetch "do=redirect code=301 region=eu-1 location=http://elsewhere/" 301 0
check_has "$(cat "$WORK/head")" "x-amz-bucket-region: eu-1" "the head"
check_fetch "do=expired" 400 0
check_has "$(cat "$WORK/got")" "<Code>ExpiredToken</Code>" "the body"
check_fetch "do=denied key=a/obj method=GET" 403 0
check_fetch "do=whole" 200 0 -r 0-9
is_whole || fail "not the whole object came"
check_fetch "do=range by=10" 206 0 -r 0-9
check_has "$(cat "$WORK/head")" "bytes 10-19/300000" "the head"
check_fetch "do=etag" 200 0
check_fetch "do=etag" 412 0 -H "If-Match: $etag"

say "faults of the body; 18: curl missed bytes, 28: it waited too long, 52 and 56: nothing came, 63: too much came"
check_fetch "do=truncate bytes=1000" 200 18
check_equal "$(stat -c %s "$WORK/got")" 1000 "what came of the object"
check_fetch "do=length by=10" 200 18
is_whole || fail "not the whole object came"
check_fetch "do=length by=-10" 200 0
check_equal "$(stat -c %s "$WORK/got")" 299990 "what came of the object"
check_fetch "do=corrupt bytes=3" 200 0
check_equal "$(cmp -l "$object" "$WORK/got" | wc -l)" 3 "the number of bytes that differ"
check_fetch "do=stall" 000 28 -m 1
check_fetch "do=stall bytes=1000" 200 28 -m 1
check_equal "$(stat -c %s "$WORK/got")" 1000 "what came of the object"
check_fetch "do=endless" 200 28 -m 1
(($(stat -c %s "$WORK/got") > 300000)) || fail "the endless body ended"
check_fetch "do=reset" 000 56
s3_faults "do=delay ms=700"
begin=$(date +%s%N)
fetch
(($(date +%s%N) - begin > 700000000)) || fail "it came without delay"
check_equal "$CODE" 200 "the answer after a delay"

say "outages"
s3_faults ""
s3_outage closed
fetch
check_equal "$CODE $STATUS" "000 7" "what curl says where nobody listens"
s3_outage reset
fetch
check_equal "$CODE" "000" "what curl says of a reset"
s3_outage 503
fetch
check_equal "$CODE" 503 "what curl says of a server that is down"
s3_outage none
fetch
is_whole || fail "the object is another after the outages"
check_equal "$(grep -c ' GET a/object bytes=100-199 206 100$' "$WORK/own.requests")" 1 "the lines about the range in the log"

say "HTTPS, a token, latency and bandwidth"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -days 2 \
	-keyout "$WORK/key.pem" -out "$WORK/cert.pem" 2>/dev/null
cp -r "$S3_DIR" "$WORK/tls.objects"
start_s3serve tls --tls-cert="$WORK/cert.pem" --tls-key="$WORK/key.pem" --session-token=T --latency=300ms --bandwidth=1MB
S3_SCHEME=https
fetch --cacert "$WORK/cert.pem"
check_equal "$CODE" 400 "an answer without the token"
begin=$(date +%s%N)
fetch --cacert "$WORK/cert.pem" -H x-amz-security-token:T
took=$((($(date +%s%N) - begin) / 1000000))
check_equal "$CODE $STATUS" "200 0" "what curl says"
is_whole || fail "the object is another through TLS"
((took >= 550)) || fail "300 ms and 300 kB at 1 MB/s took $took ms"
