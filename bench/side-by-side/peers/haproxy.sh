#!/usr/bin/env bash
# haproxy as a pair: captured TCP in, mutual TLS 1.3 over the wire, TCP out. One TLS connection per captured connection.
# kind: tunnel
# sides: client server
# capture: 15101 15102
cat > "$PEER_DIR/$1.cfg" <<CFG
global
    nbthread $CORES
    maxconn $(( $(ulimit -n) / 2 - 100 ))
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
CFG
case $1 in
client) cat >> "$PEER_DIR/$1.cfg" <<CFG
listen app
    bind :15101
    server far $SERVER_ADDR:15108 ssl verify required ca-file $CERTS/ca.pem crt $CERTS/client.pem ssl-min-ver TLSv1.3
listen bulk
    bind :15102
    server far $SERVER_ADDR:15109 ssl verify required ca-file $CERTS/ca.pem crt $CERTS/client.pem ssl-min-ver TLSv1.3
CFG
;;
server) cat >> "$PEER_DIR/$1.cfg" <<CFG
listen app
    bind :15108 ssl crt $CERTS/server.pem ca-file $CERTS/ca.pem verify required ssl-min-ver TLSv1.3
    server app $SERVER_ADDR:$APP_PORT
listen bulk
    bind :15109 ssl crt $CERTS/server.pem ca-file $CERTS/ca.pem verify required ssl-min-ver TLSv1.3
    server app $SERVER_ADDR:$BULK_PORT
CFG
;;
esac
exec haproxy -db -f "$PEER_DIR/$1.cfg"
