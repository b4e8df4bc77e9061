import * as assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { findServer, searchPath, ServerNotFound, serverVersion } from '../src/server';

describe('where the bridge is looked for', () => {
  const before = process.env['PATH'];
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'rdev-path-'));
    process.env['PATH'] = `.${path.delimiter}${folder}`;
  });
  afterEach(() => {
    process.env['PATH'] = before;
    rmSync(folder, { recursive: true });
  });

  const install = (): string => {
    const program = path.join(folder, 'rdev-bridge');
    writeFileSync(program, '#!/bin/sh\necho "rdev-bridge 9.9"\n');
    chmodSync(program, 0o755);
    return program;
  };

  it('takes what the setting says before all else', async () => {
    install();
    assert.deepEqual(await findServer(['/opt/bridge', '--flag']), ['/opt/bridge', '--flag']);
  });

  it('finds it on PATH, and asks for its version', async () => {
    const program = install();
    assert.deepEqual(await findServer([]), [program]);
    assert.equal(await serverVersion([program]), 'rdev-bridge 9.9');
  });

  it('finds it in the selected Python environment before PATH', async () => {
    install();
    const environment = mkdtempSync(path.join(tmpdir(), 'rdev-environment-'));
    const program = path.join(environment, 'bin', 'rdev-bridge');
    mkdirSync(path.dirname(program));
    writeFileSync(program, '', { mode: 0o755 });
    process.env['RDEV_TEST_PYTHON'] = path.join(environment, 'bin', 'python');
    try {
      assert.deepEqual(await findServer([]), [program]);
    } finally {
      delete process.env['RDEV_TEST_PYTHON'];
      rmSync(environment, { recursive: true });
    }
  });

  it('says where it looked', async () => {
    await assert.rejects(findServer([]), (error: Error) => error instanceof ServerNotFound && error.message.includes(folder));
  });

  it('never looks in the folder that happens to be open', () => {
    assert.deepEqual(searchPath(['', '.', 'bin', '/usr/bin'].join(path.delimiter)), ['/usr/bin']);
    assert.deepEqual(searchPath(undefined), []);
  });
});
