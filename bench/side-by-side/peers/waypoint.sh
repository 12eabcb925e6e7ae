#!/usr/bin/env bash
# The whole path of a service with a waypoint: ztunnel, waypoint, ztunnel.
# kind: tunnel
# with: ztunnel
# sides: middle
# capture: 15001 15001
# url: http://198.18.8.1/
# ready: 15021
export POD_NAME=waypoint POD_NAMESPACE=default SERVICE_ACCOUNT=waypoint GATEWAY_NAME=waypoint INSTANCE_IP=$SIDE_ADDR
export XDS_ADDRESS=$CONTROL CA_ADDRESS=$CONTROL XDS_ROOT_CA=$CONTROL_ROOT CA_ROOT_CA=$CONTROL_ROOT AUTH_TOKEN=$TOKENS/waypoint
program=$ROOT/artifacts/native/waypoint
[ -x "$program" ] || program=$ROOT/waypoint/bin/Release/net10.0/waypoint
exec "${WAYPOINT:-$program}"
