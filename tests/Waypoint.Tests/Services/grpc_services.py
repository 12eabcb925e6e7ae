# Envoy's services by grpcio (the C core) and generated messages: an external authorizer. Prints its port, serves until its standard input closes.
# What it answers is said by the request's header x-wish; what it saw goes back in headers.
import subprocess
import sys
import tempfile
import threading
from concurrent import futures

import grpc

protos, out = sys.argv[1], tempfile.mkdtemp()
subprocess.run(["protoc", "-I", protos, "--python_out", out, "ext_authz.proto"], check=True, cwd=protos)
sys.path.insert(0, out)
import ext_authz_pb2 as authz


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


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method == "/envoy.service.auth.v3.Authorization/Check":
            return grpc.unary_unary_rpc_method_handler(check, authz.CheckRequest.FromString, authz.CheckResponse.SerializeToString)
        return None


server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((Handler(),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
sys.stdin.read()
server.stop(0)
