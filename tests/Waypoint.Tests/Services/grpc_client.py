"""A gRPC client of somebody else's make against /test.Echo; prints what it counted as one JSON object. Messages are plain bytes."""
import json
import sys

import grpc

channel = grpc.insecure_channel(sys.argv[1])
LIMIT = 60  # seconds; only a hang reaches it
out = {}

unary = channel.unary_unary("/test.Echo/Unary")
out["unary"] = sum(unary(b"x" * i, timeout=LIMIT) == b"x" * i for i in range(50))
calls = [unary.future(bytes([i]), timeout=LIMIT) for i in range(50)]
out["parallel"] = sum(call.result() == bytes([i]) for i, call in enumerate(calls))
out["bidi"] = [len(m) for m in channel.stream_stream("/test.Echo/Stream")(iter([b"a", b"b" * 100, b"c" * 70000]), timeout=LIMIT)]
out["count"] = sum(1 for _ in channel.unary_stream("/test.Echo/Count")(b"", timeout=LIMIT))
for name, method, timeout in (("deadline", "Never", 0.5), ("exhausted", "Exhausted", LIMIT)):
    try:
        channel.unary_unary("/test.Echo/" + method)(b"", timeout=timeout)
        out[name] = "ok"
    except grpc.RpcError as e:
        out[name] = e.code().name if name == "deadline" else f"{e.code().name}: {e.details()}"
print(json.dumps(out))
