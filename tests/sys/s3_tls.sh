#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# HTTPS is what a bucket is asked by unless it says insecure: a certificate that is not in order is refused with the reason, also by a
# mount, and taken where insecure_skip_verify asks for that; one that is wanted of the client is sent.
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/sys/s3.bash"
need_fuse
need openssl curl faketime
BUCKETCTL=$BUILD/tests/gen/bucketctl
cd "$WORK" || exit

# authority NAME; certificate NAME AUTHORITY ALT_NAME [DAYS]: NAME.pem with NAME.key
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -days 30 -keyout "$1.key" \
		-out "$1.pem" 2>/dev/null
}
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
	"${@:4}" openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 2 -out "$1.pem" \
		-extfile <(printf 'subjectAltName=%s' "$3") 2>/dev/null
}
authority ours
authority other
certificate good ours IP:127.0.0.1,DNS:store.example
certificate elsewhere ours DNS:elsewhere.example
certificate expired ours IP:127.0.0.1 faketime -f -30d
certificate client ours DNS:client
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=self -addext subjectAltName=IP:127.0.0.1 \
	-days 2 -keyout self.key -out self.pem 2>/dev/null

# serve CERTIFICATE [FLAGS...]: an HTTPS server with one object.
serve() {
	[[ -z ${S3_PID:-} ]] || stop "$S3_PID" || true
	start_s3serve "$1" --tls-cert="$WORK/$1.pem" --tls-key="$WORK/$1.key" "${@:2}"
	S3_SCHEME=https
	mkdir -p "$S3_DIR"
	echo content >"$S3_DIR/object"
}
# ask_object HTTP_CONFIG: gets the object; ANSWER is what is said, STATUS how it ended.
ask_object() {
	STATUS=0
	write_s3_config bucket.yaml "http_config: {$1}"
	ANSWER=$("$BUCKETCTL" bucket.yaml get object 2>&1) || STATUS=$?
}
check_taken() { # HTTP_CONFIG WHAT
	ask_object "$1"
	check_equal "$STATUS $ANSWER" "0 content" "$2"
}
check_refused() { # HTTP_CONFIG REASON WHAT
	ask_object "$1"
	check_equal "$STATUS" 1 "the status of $3"
	check_has "$ANSWER" "$2" "what is said of $3"
	check_has "$ANSWER" "S3 bucket $S3_BUCKET at $S3_ENDPOINT" "what is said of $3"
}
ca="ca_file: $WORK/ours.pem"

say "a certificate that is in order"
serve good
check_taken "tls_config: {$ca}" "with its authority"
check_taken "tls_config: {$ca, server_name: store.example}" "by its other name"
check_refused "" "unable to get local issuer certificate" "an authority that nobody knows"
check_refused "tls_config: {ca_file: $WORK/other.pem}" "certificate" "another authority"
check_refused "tls_config: {$ca, server_name: elsewhere.example}" "elsewhere.example" "a name that it is not for"
check_refused "tls_config: {ca_file: $WORK/nowhere.pem}" "nowhere.pem" "a ca_file that isn't there"
check_taken "insecure_skip_verify: true" "where nothing is to be verified"
check_taken "tls_config: {insecure_skip_verify: true}" "where tls_config says that nothing is to be verified"
write_s3_config bucket.yaml "insecure: true"
STATUS=0
ANSWER=$("$BUCKETCTL" bucket.yaml get object 2>&1) || STATUS=$?
check_equal "$STATUS" 1 "the status of plain HTTP to an HTTPS server"

say "certificates that are not in order"
for case in "self:self-signed certificate:" "expired:certificate has expired:$ca" "elsewhere:127.0.0.1:$ca"; do
	IFS=: read -r name reason authority <<<"$case:" || true
	authority=${case#*:*:}
	serve "$name"
	check_refused "tls_config: {$authority}" "$reason" "the certificate '$name'"
	check_taken "tls_config: {$authority}, insecure_skip_verify: true" "the certificate '$name' where nothing is to be verified"
done
serve self
check_taken "tls_config: {ca_file: $WORK/self.pem}" "a self-signed certificate that is its own authority"

say "a server that wants to know who asks"
serve good --tls-client-ca="$WORK/ours.pem"
check_refused "tls_config: {$ca}" "certificate" "a client without a certificate"
check_refused "tls_config: {$ca, cert_file: $WORK/self.pem, key_file: $WORK/self.key}" "127.0.0.1" "a client with a certificate of nobody's"
check_taken "tls_config: {$ca, cert_file: $WORK/client.pem, key_file: $WORK/client.key}" "a client with a certificate"

say "a server that speaks plain HTTP"
start_s3serve plain
S3_SCHEME=https
mkdir -p "$S3_DIR"
check_refused "" "TLS" "a server that speaks plain HTTP"

say "a mount says it too, and ends"
serve self
write_s3_config bucket.yaml
mount_start own "$WORK/mnt" --objstore.config-file="$WORK/bucket.yaml" --data-dir="$WORK/data" --start.timeout=3s
wait_until 30 "thanosfs gives up" is_gone "$MOUNT_PID"
status=0
wait "$MOUNT_PID" || status=$?
check_equal "$status" 1 "the exit status"
check_has "$(cat own.log)" "S3 bucket $S3_BUCKET at $S3_ENDPOINT: listing: $S3_ENDPOINT: SSL certificate problem: self-signed" "the log"
lines=$(wc -l <own.log)
((lines <= 4)) || fail "the log has $lines lines"
