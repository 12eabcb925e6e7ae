#!/usr/bin/env bash
# nginx's stream module as a pair: captured TCP in, mutual TLS 1.3 over the wire, TCP out.
# kind: tunnel
# sides: client server
# capture: 15201 15202
cat > "$PEER_DIR/$1.conf" <<CFG
daemon off;
pid $PEER_DIR/$1.pid;
error_log $PEER_DIR/$1.log;
worker_processes $CORES;
worker_rlimit_nofile $(ulimit -n);
include /etc/nginx/modules-enabled/*.conf;
events { worker_connections $(( $(ulimit -n) - 100 )); }
CFG
tls="ssl_protocols TLSv1.3"
case $1 in
client)
    cat >> "$PEER_DIR/$1.conf" <<CFG
stream {
    proxy_ssl on; proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on; proxy_ssl_name server; proxy_ssl_session_reuse on;
    proxy_ssl_trusted_certificate $CERTS/ca.pem; proxy_ssl_certificate $CERTS/client.pem; proxy_ssl_certificate_key $CERTS/client.pem;
    server { listen 15201 backlog=4096; proxy_pass $SERVER_ADDR:15208; }
    server { listen 15202 backlog=4096; proxy_pass $SERVER_ADDR:15209; }
}
CFG
;;
server)
    cat >> "$PEER_DIR/$1.conf" <<CFG
stream {
    $tls; ssl_certificate $CERTS/server.pem; ssl_certificate_key $CERTS/server.pem; ssl_client_certificate $CERTS/ca.pem; ssl_verify_client on;
    server { listen 15208 ssl backlog=4096; proxy_pass $SERVER_ADDR:$APP_PORT; }
    server { listen 15209 ssl backlog=4096; proxy_pass $SERVER_ADDR:$BULK_PORT; }
}
CFG
;;
esac
exec nginx -c "$PEER_DIR/$1.conf"
