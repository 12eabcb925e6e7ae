#!/usr/bin/env bash
# Our waypoint's request path alone, plain HTTP in and out: the same pipeline, routes, balancing, metrics and access log, without tunnels.
# kind: http
# sides: middle
# url: http://198.18.7.3:8103/
# h2: http://198.18.7.3:8103/
# grpc: http://198.18.7.3:8123/unary
exec "$ROOT/bench/Mesh.SideBySide/bin/Release/net10.0/side-by-side" waypoint --listen 0.0.0.0:8103 --upstream "$SERVER_ADDR:$APP_PORT" \
    --listen-grpc 0.0.0.0:8123 --upstream-grpc "$SERVER_ADDR:$H2_PORT"
