// A real Chromium: the guide's page on the server's origin, and pages that have no business there.
// In: {url, key, chromium}. Out: one JSON object, a field for each thing tried.
const http = require('node:http');
const path = require('node:path');
const { chromium } = require(path.join(__dirname, '../../tools/node_modules/playwright-core'));

const { url, key, executable } = JSON.parse(process.argv[2]);
const server = new URL(url);

// What a page does with the guide's calls. No key goes along with an EventSource: a browser cannot send one.
async function executeCommand([projectId, command, apiKey]) {
  const response = await fetch(`/projects/${projectId}/shell`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-API-Key': apiKey },
    body: JSON.stringify({ command }),
  });
  const { data } = await response.json();
  const source = new EventSource(`/projects/${projectId}/events?stream_id=${data.id}`);
  const seen = [];
  let connected = 0;
  return new Promise((resolve, reject) => {
    source.addEventListener('connected', (e) => {
      JSON.parse(e.data);
      connected += 1;
    });
    source.addEventListener('output', (e) => {
      const { line, stream } = JSON.parse(e.data);
      seen.push([stream, line]);
    });
    source.addEventListener('complete', (e) => {
      source.close();
      resolve({ id: data.id, seen, connected, result: JSON.parse(e.data), cookies: document.cookie });
    });
    source.addEventListener('error', (e) => {
      if (e.data) reject(new Error(JSON.parse(e.data).message));
      if (source.readyState === EventSource.CLOSED) reject(new Error('closed for good'));
    });
  });
}

// A page that forgets to close: the browser comes again after `complete`, and must be told to stop.
async function neverCloses([projectId, apiKey]) {
  const response = await fetch(`/projects/${projectId}/shell`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-API-Key': apiKey },
    body: JSON.stringify({ command: 'echo once' }),
  });
  const { data } = await response.json();
  const source = new EventSource(`/projects/${projectId}/events?stream_id=${data.id}`);
  let lines = 0;
  source.addEventListener('output', () => (lines += 1));
  return new Promise((resolve) => {
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) resolve({ lines });
    };
  });
}

// What a foreign page tries. It is on another port of the same host, so that even SameSite=Strict cookies come along.
async function attack([base, streamId, apiKey]) {
  const shell = `${base}/projects/p/shell`;
  const events = `${base}/projects/p/events?stream_id=${streamId}`;
  const attempt = (promise) => promise.then((r) => `${r.type} ${r.status}`, (e) => e.name);
  const body = JSON.stringify({ command: 'touch attacked' });
  const found = {};
  found.posted = await attempt(
    fetch(shell, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-API-Key': apiKey }, body }),
  );
  found.simple = await attempt(
    fetch(shell, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'Content-Type': 'text/plain' }, body }),
  );
  found.fetched = await attempt(fetch(events, { credentials: 'include' }));
  found.streamed = await new Promise((resolve) => {
    const source = new EventSource(events, { withCredentials: true });
    source.addEventListener('connected', () => resolve('connected'));
    source.onerror = () => resolve(`error ${source.readyState}`);
  });
  found.script = await new Promise((resolve) => {
    const script = document.createElement('script');
    script.src = events;
    script.onload = () => resolve('loaded');
    script.onerror = () => resolve('error');
    document.head.append(script);
  });
  return found;
}

// A reverse proxy that makes page and server one origin, as a development server does. `cut`: it breaks the first
// stream after so many bytes.
function proxy({ rewriteHost = false, cut = 0 } = {}) {
  let streams = 0;
  const listener = http.createServer((request, response) => {
    if (request.url === '/') {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>page</title>');
      return;
    }
    const headers = { ...request.headers };
    if (rewriteHost) headers.host = server.host;
    const onward = http.request(
      { host: server.hostname, port: server.port, path: request.url, method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        response.flushHeaders();
        let left = cut && request.url.includes('/events') && ++streams === 1 ? cut : Infinity;
        answer.on('data', (chunk) => {
          left -= chunk.length;
          if (left < 0) {
            response.write(chunk.subarray(0, chunk.length + left), () => response.destroy());
            onward.destroy();
          } else {
            response.write(chunk);
          }
        });
        answer.on('end', () => response.end());
        answer.on('error', () => response.destroy());
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  return new Promise((resolve) => listener.listen(0, '127.0.0.1', () => resolve(listener)));
}

async function main() {
  const plain = await proxy();
  const rewriting = await proxy({ rewriteHost: true, cut: 3000 });
  const foreign = await proxy();
  const browser = await chromium.launch({
    executablePath: executable,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--host-resolver-rules=MAP evil.test 127.0.0.1',
    ],
  });
  const found = {};
  try {
    const context = await browser.newContext();
    const open = async (address) => {
      const page = await context.newPage();
      await page.goto(address);
      return page;
    };
    const origin = (listener) => `http://127.0.0.1:${listener.address().port}`;
    const page = await open(`${origin(plain)}/`);
    const own = await open(`${url}/health`);
    const cutPage = await open(`${origin(rewriting)}/`);
    const command = 'i=0; while [ $i -lt 100 ]; do echo "line $i"; i=$((i+1)); done; echo err >&2; exit 3';
    const ended = page.evaluate(neverCloses, ['p', key]);
    [found.proxied, found.own, found.cut] = await Promise.all(
      [page, own, cutPage].map((p) => p.evaluate(executeCommand, ['p', command, key])),
    );
    found.ended = await ended;
    // Its ticket is in the browser now, and still good for a while: a foreign page shall have nothing of it.
    const stranger = await open(`${origin(foreign)}/`);
    found.attack = await stranger.evaluate(attack, [url, found.own.id, key]);
    // A name of the attacker that now leads here, so that its page is of the "same origin".
    const rebinder = await open(`http://evil.test:${server.port}/health`);
    found.rebound = await rebinder.evaluate(async (apiKey) => {
      const headers = { 'Content-Type': 'application/json', 'X-API-Key': apiKey };
      const body = JSON.stringify({ command: 'touch attacked' });
      const posted = await fetch('/projects/p/shell', { method: 'POST', headers, body });
      return [posted.status, (await fetch('/health')).status];
    }, key);
  } finally {
    await browser.close();
    for (const listener of [plain, rewriting, foreign]) {
      listener.close();
      listener.closeAllConnections();
    }
  }
  console.log(JSON.stringify(found));
}

main();
