#!/usr/bin/env bash
# The same waypoint, asked for a service with 1,000 routes (the last one matches), request authentication and authorization.
# kind: tunnel
# with: ztunnel waypoint
# sides:
# capture: 15001 15001
# url: http://198.18.8.2/
# token: yes
exit 0
