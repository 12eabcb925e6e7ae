#!/usr/bin/env bash
# One of our agents for both pods, with the short way between pods of one node: no tunnel, no cipher, the same policy and records.
# kind: tunnel
# instead: ztunnel waypoint
# sides: middle
# capture: 15001 15001
# url: http://198.18.7.12:8080/
# ready: 15021
export NODE_NAME=node-near POD_NAME=ztunnel POD_NAMESPACE=istio-system SERVICE_ACCOUNT=ztunnel INSTANCE_IP=$SIDE_ADDR PACKET_MARK=1337
export ZTUNNEL_SAME_NODE_FAST_PATH=true ZTUNNEL_POD_LIST=$PEER_DIR/pods.json ZTUNNEL_CAPTURE_RULES=off ENABLE_ORIG_SRC=false ISTIO_META_DNS_CAPTURE=false
export XDS_ADDRESS=$CONTROL CA_ADDRESS=$CONTROL XDS_ROOT_CA=$CONTROL_ROOT CA_ROOT_CA=$CONTROL_ROOT AUTH_TOKEN=$TOKENS/node-near
cat > "$PEER_DIR/pods.json" <<LIST
[{"uid":"uid-near-client","name":"near-client","namespace":"default","serviceAccount":"near-client","networkNamespace":"$CLIENT_NS"},
 {"uid":"uid-near-server","name":"near-server","namespace":"default","serviceAccount":"near-server","networkNamespace":"$SERVER_NS"}]
LIST
program=$ROOT/artifacts/native/ztunnel
[ -x "$program" ] || program=$ROOT/ztunnel/bin/Release/net10.0/ztunnel
exec "${ZTUNNEL:-$program}" proxy
