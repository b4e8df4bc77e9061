// Node's `eventsource` 2.x, as the rdev guide uses it.
const path = require('node:path');
const EventSource = require(path.join(__dirname, '../../tools/node_modules/eventsource'));

const [url, project, key, command] = process.argv.slice(2);

async function main() {
  const response = await fetch(`${url}/projects/${project}/shell`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-API-Key': key },
    body: JSON.stringify({ command }),
  });
  const { data } = await response.json();
  const seen = [];
  const source = new EventSource(`${url}/projects/${project}/events?stream_id=${data.id}`, {
    headers: { 'X-API-Key': key },
  });
  source.addEventListener('connected', (e) => JSON.parse(e.data));
  source.addEventListener('heartbeat', (e) => JSON.parse(e.data));
  source.addEventListener('output', (e) => {
    const { line, stream } = JSON.parse(e.data);
    seen.push([stream, line]);
  });
  source.addEventListener('complete', (e) => {
    source.close();
    console.log(JSON.stringify({ seen, result: JSON.parse(e.data) }));
  });
  source.onerror = (e) => {
    console.error('error', e.status, e.message);
    process.exitCode = 1;
    source.close();
  };
}

main();
