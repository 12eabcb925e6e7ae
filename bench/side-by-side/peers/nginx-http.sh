#!/usr/bin/env bash
# nginx as an HTTP reverse proxy with connections kept on both sides.
# kind: http
# sides: middle
# url: http://198.18.7.3:8102/
# h2: http://198.18.7.3:8112/
# grpc: http://198.18.7.3:8122/unary
cat > "$PEER_DIR/nginx.conf" <<CFG
daemon off;
pid $PEER_DIR/nginx.pid;
error_log $PEER_DIR/error.log;
worker_processes $CORES;
worker_rlimit_nofile $(ulimit -n);
events { worker_connections $(( $(ulimit -n) - 100 )); }
http {
    access_log $PEER_DIR/access.log;
    keepalive_requests 1000000000;
    upstream app { server $SERVER_ADDR:$APP_PORT; keepalive 256; keepalive_requests 1000000000; }
    upstream grpc { server $SERVER_ADDR:$H2_PORT; keepalive 256; keepalive_requests 1000000000; }
    server {
        listen 8102 backlog=4096;
        listen 8112 http2 backlog=4096;
        location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
    server {
        listen 8122 http2 backlog=4096;
        location / { grpc_pass grpc://grpc; }
    }
}
CFG
exec nginx -c "$PEER_DIR/nginx.conf"
