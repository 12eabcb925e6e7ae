// An HTTP/2 application by Node's own implementation: gives back a request's body, and what its trailers said as a trailer. Prints its port and ends
// with its input.
const http2 = require('http2');
const server = http2.createServer();
server.on('stream', stream => {
  const trailers = {};
  stream.on('trailers', t => { for (const name of Object.keys(t)) trailers[name] = t[name]; });
  stream.on('error', () => {});
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-seen': JSON.stringify(trailers) }));
  stream.pipe(stream);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
