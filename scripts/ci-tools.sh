#!/usr/bin/env bash
# Installs what checks of `npm run ok` need and npm does not bring: h2spec (Go) into .cache/bin, slowhttptest from Debian.
# What is there stays. Where something cannot be installed this says so and goes on: the check that needs it fails and says how.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

if ! [ -x .cache/bin/h2spec ] && ! command -v h2spec >/dev/null; then
  mkdir -p .cache/bin
  GOBIN="$PWD/.cache/bin" go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible ||
    echo "h2spec could not be installed: it needs Go (https://go.dev/dl/)" >&2
fi

if ! command -v slowhttptest >/dev/null; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  { "${as_root[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq slowhttptest >/dev/null; } ||
    echo "slowhttptest could not be installed: on Debian it is apt-get install slowhttptest" >&2
fi
exit 0
