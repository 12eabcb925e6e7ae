// An HTTP/2 client: `client.mjs PORT STREAMS OCTETS`. Opens CONNECT streams at once, sends OCTETS on each, expects them echoed, prints "ok <sha1>".
import http2 from 'node:http2';
import crypto from 'node:crypto';

const [port, streams, octets] = process.argv.slice(2).map(Number);
const session = http2.connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 100, settings: { initialWindowSize: 100_000 } });
session.on('error', e => { console.error(e); process.exit(1); });
session.on('goaway', (code, last) => console.log(`goaway ${code} ${last}`));
const body = Buffer.alloc(octets, 0);
for (let i = 0; i < octets; i++) body[i] = (i * 31 + (i >> 8)) & 255;
const sha = data => crypto.createHash('sha1').update(data).digest('hex');
const expected = sha(body);

await Promise.all(Array.from({ length: streams }, (_, i) => new Promise((resolve, reject) => {
  const stream = session.request({ ':method': 'CONNECT', ':authority': `198.18.1.${i}:8080`, 'x-number': `${i}` }, { endStream: false });
  const parts = [];
  stream.on('response', headers => { if (headers[':status'] !== 200) reject(new Error(`status ${headers[':status']}`)); });
  stream.on('data', part => parts.push(part));
  stream.on('end', () => sha(Buffer.concat(parts)) === expected ? resolve() : reject(new Error(`stream ${i}: ${Buffer.concat(parts).length} octets came back`)));
  stream.on('error', reject);
  stream.end(body);
})));
await new Promise(resolve => session.ping(Buffer.from('12345678'), resolve));
console.log(`ok ${expected}`);
session.close();
