#!/usr/bin/env bash
# How cost grows with connections, pods of one node, services, workloads, policies and routes: one plot each, and a page with the slopes in words, in bench/results.
#   --only AXIS (may be repeated), --most N (of anything), --seconds N, --results FOLDER
# Needs what run.sh needs, and its builds; BENCH_NO_BUILD=1 takes those that are there.
exec env BENCH_VERB=growth "$(dirname "${BASH_SOURCE[0]}")/run.sh" "$@"
