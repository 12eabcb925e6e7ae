#!/usr/bin/env bash
# haproxy as an HTTP reverse proxy with connections kept on both sides.
# kind: http
# sides: middle
# url: http://198.18.7.3:8101/
# h2: http://198.18.7.3:8111/
# grpc: http://198.18.7.3:8121/unary
cat > "$PEER_DIR/haproxy.cfg" <<CFG
global
    nbthread $CORES
    maxconn $(( $(ulimit -n) / 2 - 100 ))
defaults
    mode http
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen app
    bind :8101
    bind :8111 proto h2
    http-reuse always
    server app $SERVER_ADDR:$APP_PORT
listen grpc
    bind :8121 proto h2
    http-reuse always
    server app $SERVER_ADDR:$H2_PORT proto h2
CFG
exec haproxy -db -f "$PEER_DIR/haproxy.cfg"
