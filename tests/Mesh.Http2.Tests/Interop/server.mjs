// An HTTP/2 server on loopback: echoes CONNECT streams and POST bodies, answers GET /<n> with n octets and a trailer. Prints its port.
import http2 from 'node:http2';

const server = http2.createServer({ maxSessionMemory: 100 });
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  if (headers[':method'] === 'CONNECT' && headers[':authority'] === 'refused:1') {
    stream.respond({ ':status': 503 }, { endStream: true });
  } else if (headers[':method'] === 'GET') {
    stream.additionalHeaders({ ':status': 103, link: '</style>' });
    stream.respond({ ':status': 200, 'x-seen': headers['x-test'] ?? '' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'done' }));
    stream.end(Buffer.alloc(Number(headers[':path'].slice(1)), 'n'));
  } else {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  }
});
server.on('session', session => session.on('goaway', (code, last) => console.log(`goaway ${code} ${last}`)));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
