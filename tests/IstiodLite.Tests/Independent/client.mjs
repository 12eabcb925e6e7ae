// A gRPC client of Node's http2 and nothing else: it gets a certificate, subscribes to addresses, and waits for a change of a document.
// Arguments: host:port, root certificate, token, configuration folder.
import http2 from 'node:http2';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync } from 'node:child_process';

const [authority, rootFile, token, config] = process.argv.slice(2);
const identity = 'spiffe://cluster.local/ns/default/sa/payment';

// protobuf, as far as these messages need it
const varint = n => { const out = []; do { out.push((n & 0x7f) | (n > 127 ? 0x80 : 0)); n = Math.floor(n / 128); } while (n > 0); return Buffer.from(out); };
const field = (number, payload) => { const b = Buffer.isBuffer(payload) ? payload : Buffer.from(payload); return Buffer.concat([varint(number * 8 + 2), varint(b.length), b]); };
function* fields(buffer) {
  let at = 0;
  const read = () => { let n = 0, shift = 0, b; do { b = buffer[at++]; n += (b & 0x7f) * 2 ** shift; shift += 7; } while (b & 0x80); return n; };
  while (at < buffer.length) {
    const tag = read(), kind = tag & 7;
    if (kind === 2) { const length = read(); yield [tag >> 3, buffer.subarray(at, at + length)]; at += length; }
    else if (kind === 0) yield [tag >> 3, read()];
    else throw new Error(`wire type ${kind}`);
  }
}
const frame = message => { const head = Buffer.alloc(5); head.writeUInt32BE(message.length, 1); return Buffer.concat([head, message]); };

const session = http2.connect(`https://${authority}`, { ca: fs.readFileSync(rootFile) });
session.on('error', e => { console.error(e); process.exit(1); });
setTimeout(() => { console.error('nothing came within 50 s'); process.exit(1); }, 50_000).unref();

function call(method) {
  const stream = session.request({ ':method': 'POST', ':path': `/${method}`, 'content-type': 'application/grpc', te: 'trailers', authorization: `Bearer ${token}` }, { endStream: false });
  const waiting = [], messages = [];
  let buffer = Buffer.alloc(0);
  stream.on('data', chunk => {
    buffer = Buffer.concat([buffer, chunk]);
    while (buffer.length >= 5 && buffer.length >= 5 + buffer.readUInt32BE(1)) {
      const length = buffer.readUInt32BE(1);
      const message = buffer.subarray(5, 5 + length);
      buffer = buffer.subarray(5 + length);
      waiting.length ? waiting.shift()(message) : messages.push(message);
    }
  });
  stream.on('trailers', t => { if (t['grpc-status'] !== '0') { console.error(t['grpc-status'], decodeURIComponent(t['grpc-message'] ?? '')); process.exit(1); } });
  return { stream, next: () => messages.length ? Promise.resolve(messages.shift()) : new Promise(r => waiting.push(r)) };
}

// a certificate, with a key and request made by openssl
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'istiod-lite-node-'));
execFileSync('openssl', ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${folder}/key.pem`, '-out', `${folder}/csr.pem`, '-subj', '/', '-addext', `subjectAltName=URI:${identity}`], { stdio: 'pipe' });
const impersonated = field(1, Buffer.concat([field(1, 'ImpersonatedIdentity'), field(2, field(3, identity))]));
const signing = call('istio.v1.auth.IstioCertificateService/CreateCertificate');
signing.stream.end(frame(Buffer.concat([field(1, fs.readFileSync(`${folder}/csr.pem`)), Buffer.concat([varint(3 * 8), varint(3600)]), field(4, impersonated)])));
const chain = [...fields(await signing.next())].filter(([n]) => n === 1).map(([, v]) => v.toString());
fs.writeFileSync(`${folder}/leaf.pem`, chain[0]);
fs.writeFileSync(`${folder}/root.pem`, chain.at(-1));
const verified = execFileSync('openssl', ['verify', '-CAfile', `${folder}/root.pem`, `${folder}/leaf.pem`]).toString().includes('OK');
const names = execFileSync('openssl', ['x509', '-in', `${folder}/leaf.pem`, '-noout', '-ext', 'subjectAltName']).toString();
console.log(`certificate: ${chain.length} elements, ${verified ? 'verified' : 'NOT verified'}, ${names.match(/URI:(\S+)/)[1]}`);
fs.rmSync(folder, { recursive: true });

// addresses, then a change
const type = 'type.googleapis.com/istio.workload.Address';
const discovery = call('envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources');
discovery.stream.write(frame(Buffer.concat([field(1, field(1, 'ztunnel~198.18.0.11~ztunnel.istio-system~istio-system.svc.cluster.local')), field(2, type), field(3, '*')])));
const resources = async () => [...fields(await discovery.next())].filter(([n]) => n === 2).map(([, r]) => [...fields(r)].find(([n]) => n === 3)[1].toString()).sort();
console.log(`first: ${(await resources()).join(' ')}`);
fs.writeFileSync(path.join(config, 'order.yaml'), 'apiVersion: v1\nkind: Pod\nmetadata: { name: order }\nspec: { nodeName: node-1, serviceAccountName: order }\nstatus: { podIP: 198.18.1.3 }\n');
console.log(`change: ${(await resources()).join(' ')}`);
session.destroy();
process.exit(0);
