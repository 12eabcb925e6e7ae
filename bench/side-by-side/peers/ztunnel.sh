#!/usr/bin/env bash
# Our ztunnel as a pair, each serving the one workload beside it, configured and certified by istiod-lite; metrics, decision records and access log on.
# Settings are those of Istio's ztunnel: --ztunnel PATH puts the Rust one (or another build) here.
# kind: tunnel
# sides: client server
# capture: 15001 15001
# ready: 15021
export PROXY_MODE=dedicated PACKET_MARK=1337 PROXY_WORKLOAD_INFO=default/$1/$1 ENABLE_ORIG_SRC=false ISTIO_META_DNS_CAPTURE=false
export POD_NAME=$1 POD_NAMESPACE=default SERVICE_ACCOUNT=$1 NODE_NAME=node-$1 INSTANCE_IP=$SIDE_ADDR
export XDS_ADDRESS=$CONTROL CA_ADDRESS=$CONTROL XDS_ROOT_CA=$CONTROL_ROOT CA_ROOT_CA=$CONTROL_ROOT AUTH_TOKEN=$TOKENS/$1
program=$ROOT/artifacts/native/ztunnel
[ -x "$program" ] || program=$ROOT/ztunnel/bin/Release/net10.0/ztunnel
exec "${ZTUNNEL:-$program}" proxy
