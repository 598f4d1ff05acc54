#!/usr/bin/env bash
# Brings deploy/compose.yaml up as a user would, over the broker's volume of an earlier version, sends orders through
# it, restarts the broker, kills a poller's container midway, compares the broker's events with the provider's ledger,
# and tries to get in without a key. Leaves nothing behind.
#
# Needs a Docker daemon, Go, and busybox (static). COMPOSE names the Compose command to use, e.g. "docker-compose".
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
id=seqrflow-test-$$-$RANDOM
work=$(mktemp -d)
read -ra tool <<<"$("$here/compose-tool.sh")"

# The older tool does not know the file's name: line, and takes a file without it.
file=$root/deploy/compose.yaml
if [[ ${tool[*]} == *docker-compose && $("${tool[@]}" version --short) == 1.* ]]; then
	file=$work/compose.yaml
	grep -v '^name:' "$root/deploy/compose.yaml" >"$file"
fi
on=(--env-file "$work/env" --project-name "$id" --project-directory "$root/deploy" --file "$file")

compose() { "${tool[@]}" "${on[@]}" "$@"; }

cleanup() {
	local status=$?
	trap - EXIT
	set +e
	if ((status != 0)) && [[ -f $work/env ]]; then
		echo "--- the stack as it was when the test failed"
		compose ps
		compose logs --no-color --tail=40
	fi
	[[ -f $work/env ]] && compose down --volumes --remove-orphans --timeout 20 >"$work/down.log" 2>&1
	docker rm --force "$id-earlier" >/dev/null 2>&1
	docker volume rm --force "${id}_broker" >/dev/null 2>&1
	docker image rm --force "$id/seqrflow" "$id/nats" >/dev/null 2>&1
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 143' INT TERM

# Only what is written here configures the stack: no setting of the person who runs the test.
while read -r name; do unset "$name"; done < <(compgen -e SEQRFLOW_ || true)
unset NATS_IMAGE NATS_PORT NATS_NAMES NATS_MEMORY NATS_GOMEMLIMIT MEMORY SANDBOX_PORT GATEWAY_PORT SHOPS_FILE CONNECTIONS_DIR SECRETS_DIR COMPOSE_FILE COMPOSE_PROJECT_NAME

echo "compose: ${tool[*]}, $("${tool[@]}" version --short)"
"$here/images.sh" "$work" "$id/seqrflow" "$id/nats"
cat >"$work/env" <<END
SEQRFLOW_IMAGE=$id/seqrflow
NATS_IMAGE=$id/nats
NATS_PORT=0
SANDBOX_PORT=0
GATEWAY_PORT=0
SEQRFLOW_LOG_LEVEL=debug
END

(cd "$root" && go build -buildvcs=false -o "$work/drive" ./test/compose/drive)

# An earlier version: a broker without accounts, its streams, and an order that no worker has seen yet.
seqrflow=$work/image/seqrflow
docker run --rm --volume "${id}_broker:/data" "$id/seqrflow" version >/dev/null # its folder gets its owner
docker run --detach --name "$id-earlier" --user 65532:65532 --volume "${id}_broker:/data" --publish 127.0.0.1:0:4222 \
	"$id/nats" --jetstream --store_dir /data >/dev/null
earlier=nats://$(docker port "$id-earlier" 4222 | head -1)
"$seqrflow" health --nats "$earlier" --wait 30s
"$seqrflow" broker apply --nats "$earlier" >/dev/null
"$work/drive" -seqrflow "$seqrflow" -earlier "$earlier"
docker rm --force "$id-earlier" >/dev/null

compose up -d --no-build
"$work/drive" -seqrflow "$seqrflow" -work "$work" -sandbox "http://$(compose port sandbox 8585)" \
	-- "${tool[@]}" "${on[@]}"
