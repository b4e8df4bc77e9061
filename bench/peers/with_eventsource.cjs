// Node's `eventsource` 2.x as the rdev guide uses it, printing each line: URL PROJECT KEY COMMAND.
const path = require('node:path');
const EventSource = require(path.join(__dirname, '../../tests/tools/node_modules/eventsource'));

const [url, project, key, command] = process.argv.slice(2);

async function main() {
  const answer = await fetch(`${url}/projects/${project}/shell`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-API-Key': key },
    body: JSON.stringify({ command }),
  });
  const { data } = await answer.json();
  const source = new EventSource(`${url}/projects/${project}/events?stream_id=${data.id}`, {
    headers: { 'X-API-Key': key },
  });
  source.addEventListener('output', (e) => {
    const { line, stream } = JSON.parse(e.data);
    console.log(`[${stream}] ${line}`);
  });
  source.addEventListener('complete', (e) => {
    source.close();
    process.exitCode = JSON.parse(e.data).exit_code;
  });
  source.onerror = (e) => {
    console.error('error', e.status, e.message);
    process.exit(1);
  };
}

main();
