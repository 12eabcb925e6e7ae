# Envoy's services by grpcio (the C core) and generated messages: an external authorizer and a rate limit service. Prints its port, serves until its standard input closes.
# What it answers is said by the request's header x-wish; what it saw goes back in headers.
import subprocess
import sys
import tempfile
import threading
from concurrent import futures

import grpc

protos, out = sys.argv[1], tempfile.mkdtemp()
subprocess.run(["protoc", "-I", protos, "--python_out", out, "ext_authz.proto", "ratelimit.proto"], check=True, cwd=protos)
sys.path.insert(0, out)
import ext_authz_pb2 as authz
import ratelimit_pb2 as limits


def option(key, value, append=None):
    made = authz.HeaderValueOption(header=authz.HeaderValue(key=key, value=value))
    if append is not None:
        made.append.value = append
    return made


def check(request, context):
    attributes = request.attributes
    http = attributes.request.http
    wish = http.headers.get("x-wish", "allow")
    if wish == "fail":
        context.abort(grpc.StatusCode.INTERNAL, "the authorizer is ill")
    if wish == "silent":
        done = threading.Event()
        context.add_callback(done.set)
        done.wait(60)
    answer = authz.CheckResponse()
    seen = "|".join([attributes.source.principal, attributes.source.address.socket_address.address, attributes.destination.service,
                     str(attributes.destination.address.socket_address.port_value), http.method, http.path, http.host, http.scheme, http.protocol,
                     str(http.size), http.headers.get(":path", ""), http.headers.get("x-envoy-auth-partial-body", "-"), http.body, http.raw_body.hex()])
    if wish.startswith("deny"):
        answer.status.code = 7
        answer.status.message = "no"
        if wish == "deny-as-it-likes":
            answer.denied_response.status.code = 401
            answer.denied_response.headers.append(option("www-authenticate", "Negotiate"))
            answer.denied_response.headers.append(option("content-length", "7"))
            answer.denied_response.body = "who are you?"
        return answer
    ok = answer.ok_response
    ok.headers.append(option("x-seen", seen))
    ok.headers.append(option("x-role", "admin"))
    ok.headers.append(option("x-list", "second", append=True))
    ok.headers.append(option("transfer-encoding", "chunked"))
    ok.headers_to_remove.append("x-secret")
    ok.response_headers_to_add.append(option("x-checked", "yes"))
    ok.query_parameters_to_set.add(key="tenant", value="a b")
    ok.query_parameters_to_remove.append("debug")
    return answer


counts = {}


# The value of the entry "limit" is how many may pass for the descriptor.
def limit(request, context):
    answer = limits.RateLimitResponse(overall_code=limits.RateLimitResponse.OK)
    for descriptor in request.descriptors:
        entries = {e.key: e.value for e in descriptor.entries}
        key = (request.domain,) + tuple(sorted(entries.items()))
        if "ill" in entries:
            context.abort(grpc.StatusCode.INTERNAL, "the limiter is ill")
        allowed = int(entries["limit"])
        counts[key] = counts.get(key, 0) + max(1, request.hits_addend)
        over = counts[key] > allowed
        status = answer.statuses.add(code=limits.RateLimitResponse.OVER_LIMIT if over else limits.RateLimitResponse.OK, limit_remaining=max(0, allowed - counts[key]))
        status.current_limit.requests_per_unit = allowed
        status.current_limit.unit = limits.RateLimitResponse.RateLimit.MINUTE
        status.current_limit.name = "plan"
        status.duration_until_reset.seconds = 42
        if over:
            answer.overall_code = limits.RateLimitResponse.OVER_LIMIT
            answer.raw_body = b"slow down"
    answer.response_headers_to_add.add(key="x-limiter", value="|".join(f"{e.key}={e.value}" for d in request.descriptors for e in d.entries))
    answer.request_headers_to_add.add(key="x-seen", value=request.domain)
    return answer


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/envoy.service.auth.v3.Authorization/Check":
            return grpc.unary_unary_rpc_method_handler(check, authz.CheckRequest.FromString, authz.CheckResponse.SerializeToString)
        if details.method == "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit":
            return grpc.unary_unary_rpc_method_handler(limit, limits.RateLimitRequest.FromString, limits.RateLimitResponse.SerializeToString)
        return None


server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((Handler(),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
sys.stdin.read()
server.stop(0)
