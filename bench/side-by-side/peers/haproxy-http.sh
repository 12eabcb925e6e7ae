#!/usr/bin/env bash
# haproxy as an HTTP reverse proxy with connections kept on both sides.
# kind: http
# sides: middle
# url: http://198.18.7.3:8101/
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
    http-reuse always
    server app $SERVER_ADDR:$APP_PORT
CFG
exec haproxy -db -f "$PEER_DIR/haproxy.cfg"
