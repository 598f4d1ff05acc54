#!/usr/bin/env bash
# Prints the Docker Compose command of this machine: the one that COMPOSE names, the plugin, the older tool
# of its own, or else one built from its module and kept in the cache.
set -euo pipefail

version=v2.40.3
cache=${XDG_CACHE_HOME:-$HOME/.cache}/seqrflow-ci/compose-$version

if [[ -n ${COMPOSE:-} ]]; then
	echo "$COMPOSE"
elif docker compose version >/dev/null 2>&1; then
	echo docker compose
elif command -v docker-compose >/dev/null; then
	echo docker-compose
else
	if [[ ! -x $cache/docker-compose ]]; then
		echo "building Docker Compose $version, which takes some minutes once" >&2
		mkdir -p "$cache"
		new=$(mktemp -d "$cache/build.XXXXXX")
		trap 'rm -rf "$new"' EXIT
		# Its go.mod has directives that "go install" refuses, so it is built as a main module.
		module=$(go mod download -json "github.com/docker/compose/v2@$version" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
		cp -r --no-preserve=mode "$module" "$new/src"
		(cd "$new/src" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -trimpath \
			-ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=$version" -o "$new/docker-compose" ./cmd) >&2
		mv "$new/docker-compose" "$cache/docker-compose"
	fi
	echo "$cache/docker-compose"
fi
