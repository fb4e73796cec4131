/** An unmodified boto3 against the whole service: what Python programs and their waiters and paginators do. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const SCENARIO = resolve(import.meta.dirname, '../fixtures/boto3/scenario.py');
const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function';

const python = ['python3', '/usr/bin/python3'].find((path) => {
  try {
    execFileSync(path, ['-c', 'import boto3'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
if (python === undefined) console.warn('boto3.test.ts is left out: there is no boto3 (apt install python3-boto3).');

describe.skipIf(python === undefined)('boto3', { timeout: 60_000 }, () => {
  let service: RunningService;
  let folder: string;

  beforeAll(async () => {
    service = await startService();
    folder = mkdtempSync(join(tmpdir(), 'lamella-boto3-'));
    writeFileSync(join(folder, 'layer.zip'), await zipOf({ 'word.txt': 'layered' }));
    const bootstrap = (answer: string) => ({ bootstrap: shellRuntime(`respond "${answer}"`) });
    writeFileSync(
      join(folder, 'first.zip'),
      await zipOf(bootstrap('[\\"$GREETING\\", \\"$(cat /opt/word.txt)\\", $EVENT]')),
    );
    writeFileSync(join(folder, 'second.zip'), await zipOf(bootstrap('\\"second\\"')));
  });
  afterAll(async () => {
    await service.close();
    rmSync(folder, { recursive: true });
  });

  it('creates, waits, invokes, lists, is refused and cleans up as on AWS', async () => {
    expect(await scenario(service.url, folder)).toEqual({
      layer: 'arn:aws:lambda:us-east-1:123456789012:layer:py-layer:1',
      first: ['hi', 'layered', { n: 1 }],
      tailed: true,
      second: 'second',
      version: '1',
      executed: '1',
      streamed: '"second"',
      policy: ['s'],
      throttled: [429, 'TooManyRequestsException', 'Rate Exceeded.'],
      tags: { a: 'b' },
      url: 'NONE',
      mapped: 'Enabled',
      modified: true,
      listed: ['paged-0', 'paged-1', 'paged-2', 'py'],
      versions: ['$LATEST', '1'],
      missing: [404, 'ResourceNotFoundException', `Function not found: ${FUNCTION}:doesnotexist`],
      invalid: [
        400,
        'ValidationException',
        "1 validation error detected: Value '2024' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
      ],
      exists: [409, 'ResourceConflictException', `Alias already exists: ${FUNCTION}:py:live`],
      modelled: true,
      gone: [404, 'ResourceNotFoundException', `Function not found: ${FUNCTION}:py:$LATEST`],
      caller: '123456789012',
    });
  });
});

function scenario(url: string, folder: string): Promise<unknown> {
  const env = { PATH: process.env.PATH, HOME: folder };
  return new Promise((resolve, reject) => {
    execFile(python ?? '', [SCENARIO, url, folder], { env, cwd: folder }, (failure, stdout, stderr) => {
      if (failure) reject(new Error(stderr));
      else resolve(JSON.parse(stdout));
    });
  });
}
