#!/usr/bin/env bash
# Makes, without pulling anything, the two images that compose.yaml starts:
#
#   images.sh WORK SEQRFLOW_IMAGE NATS_IMAGE
#
# seqrflow's is the last stage of deploy/Dockerfile, over what its build stage would have left in /image.
# WORK keeps the contexts, and the program as WORK/image/seqrflow.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$1 seqrflow_image=$2 nats_image=$3
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -buildvcs=false"

mkdir -p "$work/image/data" "$work/image/etc/ssl/certs" "$work/nats"
for name in $(sed -n 's|.*:/keys/\([a-z]*\)$|\1|p' "$root/deploy/compose.yaml"); do
	mkdir -p -m 700 "$work/image/keys/$name"
done
if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then
	cp /etc/ssl/certs/ca-certificates.crt "$work/image/etc/ssl/certs/"
fi
(cd "$root" && go build -trimpath -ldflags="-s -w" -o "$work/image/seqrflow" ./cmd/seqrflow)
sed -n '/^FROM scratch/,$ { s/--from=build //; s|COPY \(.*\)/image/|COPY \1image/|; p }' \
	"$root/deploy/Dockerfile" >"$work/Dockerfile"

(cd "$root" && go build -trimpath -ldflags="-s -w" -o "$work/nats/nats-server" github.com/nats-io/nats-server/v2)
cp "$(command -v busybox || echo /bin/busybox)" "$work/nats/busybox"

docker build --quiet --force-rm --tag "$seqrflow_image" "$work"
docker build --quiet --force-rm --tag "$nats_image" --file "$root/test/compose/nats.Dockerfile" "$work/nats"
