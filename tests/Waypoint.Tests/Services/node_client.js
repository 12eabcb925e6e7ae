// HTTP/2 by prior knowledge and HTTP/1.1 by Node's own implementations; prints what it counted as one JSON object.
const http = require('http');
const http2 = require('http2');
const at = process.argv[2];
const watchdog = setTimeout(() => { console.error('no end within 60 s'); process.exit(3); }, 60000);

function h2(session, headers, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    let status = 0, length = 0;
    stream.on('response', h => { status = h[':status']; });
    stream.on('data', d => { length += d.length; });
    stream.on('end', () => resolve({ status, length }));
    stream.on('error', reject);
    stream.end(body);
  });
}

function h1(agent, path) {
  return new Promise((resolve, reject) => http.get('http://' + at + path, { agent }, response => {
    response.resume();
    response.on('end', () => resolve(response.statusCode));
  }).on('error', reject));
}

(async () => {
  const session = http2.connect('http://' + at);
  session.on('error', e => { console.error(e); process.exit(2); });
  const many = await Promise.all(Array.from({ length: 100 }, (_, i) => h2(session, { ':path': '/' + i })));
  const echo = await h2(session, { ':path': '/echo', ':method': 'POST' }, Buffer.alloc(200000, 'x'));
  const teapot = await h2(session, { ':path': '/teapot' });
  session.close();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 5 });
  const one = await Promise.all(Array.from({ length: 50 }, (_, i) => h1(agent, '/' + i)));
  agent.destroy();
  console.log(JSON.stringify({ h2: many.filter(a => a.status === 200 && a.length === 2).length, h2Echo: echo.length, teapot: teapot.status, h1: one.filter(s => s === 200).length }));
  clearTimeout(watchdog);
})().catch(e => { console.error(e); process.exit(1); });
