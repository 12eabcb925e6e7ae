# Drives our server with grpcio: prints one line per observation. Messages are raw bytes, so no generated code is needed.
import sys
import grpc

address = sys.argv[1]
identity = lambda b: b
channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
unary = channel.unary_unary("/test.Echo/Say", identity, identity)
duplex = channel.stream_stream("/test.Echo/Chat", identity, identity)


def message(text):
    data = text.encode()
    length = len(data)
    out = bytearray(b"\x0a")
    while True:
        out.append((length & 0x7F) | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            break
    return bytes(out) + data


reply, call = unary.with_call(message("hello"), metadata=(("x_test", "xv"), ("x-data-bin", b"\x00\xff")), timeout=20)
print("unary", reply == message("hello xv 00ff"), call.code().name, dict(call.trailing_metadata()).get("x-trailer-bin"))

big = "x" * (5 << 20)
print("big", len(unary(message(big), timeout=60)) > 5 << 20)

for text in ("deny", "fail", "slow"):
    try:
        unary(message(text), timeout=1 if text == "slow" else 20)
        print(text, "no error")
    except grpc.RpcError as e:
        # Whose clock ends a slow call, the client's or the server's, is chance; each has its own words.
        print(text, e.code().name, "" if text == "slow" else e.details())

try:
    channel.unary_unary("/test.Echo/Nope", identity, identity)(b"", timeout=20)
except grpc.RpcError as e:
    print("nope", e.code().name)

replies = list(duplex(iter([message(str(i)) for i in range(200)]), timeout=20))
print("duplex", replies == [message(str(i)) for i in range(200)])
