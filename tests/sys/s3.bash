# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# S3 endpoints for system tests, beside lib.sh: source that first. Each start_ function starts one on loopback with an empty
# bucket and describes it in
#
#	S3_ENDPOINT (host:port)  S3_BUCKET  S3_REGION  S3_ACCESS_KEY  S3_SECRET_KEY  S3_SESSION_TOKEN  S3_SCHEME  S3_PID
#
# which is what write_s3_config and rclone_s3 go by: a test may change one to see it refused. What was started is stopped by
# the trap of lib.sh.

# Nothing of the machine's own settings for object stores or proxies must reach what the tests start.
unset "${!AWS_@}" http_proxy https_proxy HTTP_PROXY HTTPS_PROXY

s3_is_described() { # SCHEME ENDPOINT ACCESS_KEY SECRET_KEY REGION
	S3_SCHEME=$1 S3_ENDPOINT=$2 S3_ACCESS_KEY=$3 S3_SECRET_KEY=$4 S3_REGION=$5
	S3_BUCKET=thanos S3_SESSION_TOKEN=
}

# wait_for_port FILE PID WHAT: the first line that a server writes is its port; sets PORT.
wait_for_port() {
	local deadline=$((SECONDS + 60 * PATIENCE))
	until PORT=$(head -n 1 "$1" 2>/dev/null) && [[ -n $PORT ]]; do
		is_running "$2" || fail "$3 ended at start"
		((SECONDS < deadline)) || fail "$3 does not listen"
		sleep 0.02
	done
}

# start_s3serve NAME [FLAGS...]: the project's own server; objects in $S3_DIR, requests in $WORK/NAME.requests.
# Its secret key is S3SERVE_SECRET, where that is set.
start_s3serve() {
	local name=$1
	shift
	s3_is_described http - test-key "${S3SERVE_SECRET:-test/secret+key}" us-east-1
	S3_DIR=$WORK/$name.objects S3_FAULTS=$WORK/$name.faults
	: >"$S3_FAULTS"
	rm -f "$WORK/$name.port" # one of this name may have run before
	logs+=("$WORK/$name.log")
	"$BUILD/tests/gen/s3serve" --dir="$S3_DIR" --bucket="$S3_BUCKET" --access-key="$S3_ACCESS_KEY" \
		--secret-key="$S3_SECRET_KEY" --region="$S3_REGION" --log="$WORK/$name.requests" --faults="$S3_FAULTS" "$@" \
		>"$WORK/$name.port" 2>"$WORK/$name.log" </dev/null 3>&- &
	S3_PID=$!
	pids+=("$S3_PID")
	wait_for_port "$WORK/$name.port" "$S3_PID" s3serve
	S3_ENDPOINT=127.0.0.1:$PORT
}

# s3_faults RULES: what the last s3serve does wrong from now on (tests/support/s3serve_faults.h); "" ends it.
s3_faults() {
	curl -sf -m 10 --data-binary "$1" "http://$S3_ENDPOINT/-/faults" || fail "s3serve does not take the rules '$1'"
}

# s3_struck: how often the rules struck in all.
s3_struck() { curl -sf -m 10 "http://$S3_ENDPOINT/-/faults" | awk '{ n += $1 } END { print n + 0 }'; }

s3_listens() { (: <"/dev/tcp/${S3_ENDPOINT/://}") 2>/dev/null; }
s3_is_closed() { ! s3_listens; }

# s3_outage closed|reset|503, s3_outage none: through the file, since nobody may be listening. Returns once it is so.
s3_outage() {
	echo "outage=$1" >"$S3_FAULTS.new"
	mv "$S3_FAULTS.new" "$S3_FAULTS"
	case $1 in
	closed) wait_until 10 "s3serve stops listening" s3_is_closed ;;
	503) wait_until 10 "s3serve answers 503" s3_answers 503 ;;
	reset) wait_until 10 "s3serve resets connections" s3_answers 000 ;;
	none) wait_until 10 "s3serve serves again" s3_answers 403 ;;
	esac
}
s3_answers() { [[ $(curl -s -m 10 -o /dev/null -w '%{http_code}' "http://$S3_ENDPOINT/$S3_BUCKET") == "$1" ]]; }

# start_swift NAME [REGION]: OpenStack Swift with its S3 API, four servers in one process, and a memcached.
start_swift() {
	local name=$1 region=${2:-us-east-1} dir=$WORK/$1.swift memcached
	need memcached rclone setfattr
	/usr/bin/python3 -c 'import eventlet, swift.proxy.server' 2>/dev/null || skip "OpenStack Swift is not installed"
	mkdir -p "$dir"
	setfattr -n user.test -v 1 "$dir" 2>/dev/null || skip "no extended attributes in $WORK, which Swift needs"
	memcached=$(free_port)
	memcached -l 127.0.0.1 -p "$memcached" -U 0 -u nobody >"$WORK/$name.memcached.log" 2>&1 </dev/null 3>&- &
	pids+=("$!")
	logs+=("$WORK/$name.log")
	"$ROOT/tests/sys/swift_server.py" "$dir" "$memcached" "$region" >"$WORK/$name.port" 2>"$WORK/$name.log" </dev/null 3>&- &
	S3_PID=$!
	pids+=("$S3_PID")
	wait_for_port "$WORK/$name.port" "$S3_PID" Swift
	s3_is_described http "127.0.0.1:$PORT" test:tester testing "$region"
	wait_until 30 "Swift has a bucket" rclone_s3 mkdir "t:$S3_BUCKET"
}

# start_radosgw NAME: Ceph with one monitor, one store in memory, and its S3 gateway. Optional: its packages are large.
start_radosgw() {
	local name=$1 dir=$WORK/$1.ceph v2 v1 port uuid
	need ceph-mon ceph-osd radosgw radosgw-admin monmaptool ceph rclone
	mkdir -p "$dir/mon" "$dir/osd" "$dir/run"
	v2=$(free_port) v1=$(free_port) port=$(free_port) uuid=$(cat /proc/sys/kernel/random/uuid)
	cat >"$dir/ceph.conf" <<-CONF
		[global]
		fsid = $uuid
		mon_host = [v2:127.0.0.1:$v2,v1:127.0.0.1:$v1]
		public_addr = 127.0.0.1
		auth_cluster_required = none
		auth_service_required = none
		auth_client_required = none
		ms_mon_client_mode = crc
		mon_allow_pool_size_one = true
		mon_data = $dir/mon
		osd_data = $dir/osd
		osd_objectstore = memstore
		memstore_device_bytes = 2147483648
		osd_pool_default_size = 1
		osd_pool_default_min_size = 1
		osd_pool_default_pg_num = 4
		osd_crush_chooseleaf_type = 0
		run_dir = $dir/run
		admin_socket = $dir/run/\$name.sock
		log_file = /dev/null
		mon_cluster_log_file = /dev/null
		crash_dir = $dir/run
		[client.rgw]
		rgw_frontends = beast endpoint=127.0.0.1:$port
		rgw_data = $dir/run
	CONF
	ceph_run() { "$1" -c "$dir/ceph.conf" "${@:2}" >>"$WORK/$name.log" 2>&1 </dev/null 3>&-; }
	ceph_start() { # not through ceph_run: $! must be the server
		"$1" -c "$dir/ceph.conf" -f "${@:2}" >>"$WORK/$name.log" 2>&1 </dev/null 3>&- &
		S3_PID=$!
		pids+=("$S3_PID")
	}
	logs+=("$WORK/$name.log")
	monmaptool --create --fsid "$uuid" --addv a "[v2:127.0.0.1:$v2,v1:127.0.0.1:$v1]" "$dir/monmap" >>"$WORK/$name.log" 2>&1
	ceph_run ceph-mon --mkfs -i a --monmap "$dir/monmap"
	ceph_start ceph-mon -i a
	wait_until 60 "Ceph's monitor answers" ceph_run ceph --connect-timeout 5 osd new "$uuid"
	ceph_run ceph-osd -i 0 --mkfs --osd-uuid "$uuid"
	ceph_start ceph-osd -i 0
	wait_until 60 "Ceph's gateway has a user" ceph_run radosgw-admin -n client.rgw user create --uid=test \
		--display-name=test --access-key=test-key --secret-key=test-secret
	ceph_start radosgw -n client.rgw
	s3_is_described http "127.0.0.1:$port" test-key test-secret us-east-1
	wait_until 60 "Ceph's gateway has a bucket" rclone_s3 mkdir "t:$S3_BUCKET"
}

# write_s3_config FILE [LINES]: the bucket in Thanos' YAML. LINES are further keys of `config`, unindented; a line that
# starts with "prefix:" goes where it belongs.
write_s3_config() {
	local file=$1 line prefix=
	{
		echo "type: S3"
		echo "config:"
		echo "  bucket: \"$S3_BUCKET\""
		echo "  endpoint: \"$S3_ENDPOINT\""
		echo "  region: \"$S3_REGION\""
		echo "  access_key: \"$S3_ACCESS_KEY\""
		echo "  secret_key: \"$S3_SECRET_KEY\""
		[[ -z $S3_SESSION_TOKEN ]] || echo "  session_token: \"$S3_SESSION_TOKEN\""
		[[ $S3_SCHEME == https ]] || echo "  insecure: true"
		while IFS= read -r line; do
			[[ $line != prefix:* ]] || { prefix=$line && continue; }
			[[ -z $line ]] || echo "  $line"
		done <<<"${2:-}"
		[[ -z $prefix ]] || echo "$prefix"
	} >"$file"
}

# rclone_s3 ARGUMENTS...: rclone, for which the bucket is t:$S3_BUCKET.
rclone_s3() {
	cat >"$WORK/rclone.conf" <<-CONF
		[t]
		type = s3
		provider = Other
		endpoint = $S3_SCHEME://$S3_ENDPOINT
		region = $S3_REGION
		access_key_id = $S3_ACCESS_KEY
		secret_access_key = $S3_SECRET_KEY
		session_token = $S3_SESSION_TOKEN
		force_path_style = true
	CONF
	rclone --config "$WORK/rclone.conf" --retries 1 --low-level-retries 1 --contimeout 10s --timeout 60s "$@"
}

# s3_keeps_contract: the promises of store/bucket.h (tests/unit/bucket_s3), tried on the endpoint that was started.
s3_keeps_contract() {
	local summary
	[[ -x $BUILD/tests/unit/bucket_s3 ]] || fail "$BUILD/tests/unit/bucket_s3 is not built"
	write_s3_config "$WORK/bucket.yaml"
	THANOSFS_TEST_S3_CONFIG=$WORK/bucket.yaml "$BUILD/tests/unit/bucket_s3" >"$WORK/contract.out" 2>&1 || {
		cat "$WORK/contract.out"
		fail "the contract is broken"
	}
	summary=$(tail -n 1 "$WORK/contract.out")
	say "the contract: $summary" # of which the skipped ones are about one server only
	((${summary%% *} >= 17)) || fail "not the whole contract was tried"
}
