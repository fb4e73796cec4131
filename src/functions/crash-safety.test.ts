/** After a service was killed, everything it acknowledged exists, and nothing unfinished does. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bundleForChild } from '../../test/support/bundle-for-child.ts';
import { openFunctionsIn, SCOPE, temporaryDirectory } from '../../test/support/opened-functions.ts';
import type { FunctionName, LayerName } from '../protocol/names.ts';
import { identify } from '../storage/blobs.ts';

/** Publishes and changes forever, and writes a line for every acknowledged change. */
const WRITER = `
  import { randomBytes } from 'node:crypto';
  import { writeSync } from 'node:fs';
  import { codeZip, functionDraft, openFunctionsIn, publishLayer, SCOPE } from '../../test/support/opened-functions.ts';
  const { functions, layers } = openFunctionsIn(process.argv[2]);
  const report = (line) => writeSync(1, JSON.stringify(line) + '\\n');
  const worker = async (lane) => {
    for (let i = 0; ; i += 1) {
      const name = process.argv[3] + '-' + lane + '-' + i;
      const layer = await publishLayer(layers, name, [{ name: 'a', content: randomBytes(20_000).toString('hex') }]);
      report({ layer: name, digest: layer.digest });
      await functions.create(SCOPE, functionDraft(name, { configuration: { layers: [layer.arn] }, publish: true }));
      report({ function: name, version: '1' });
      const code = { kind: 'zip', zip: codeZip(name + ' again') };
      const second = await functions.updateCode(SCOPE, name, { code, publish: true });
      report({ function: name, version: '2', digest: second.code.digest });
      if (i % 3 === 0) {
        functions.delete(SCOPE, name, '1');
        report({ gone: name, version: '1' });
        await functions.collectGarbage(() => []);
      }
    }
  };
  for (const lane of ['a', 'b', 'c']) worker(lane);
`;

type Line = { layer?: string; function?: string; gone?: string; version?: string; digest?: string };

let directory: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ directory, remove } = await temporaryDirectory());
});
afterEach(() => remove());

/** Runs the writer, kills it after `count` acknowledgements, and returns everything that it acknowledged. */
async function acknowledgedBeforeKill(script: string, data: string, round: number, count: number): Promise<Line[]> {
  const writer = spawn(process.execPath, [script, data, `r${round}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(writer, 'close');
  const lines: Line[] = [];
  for await (const line of createInterface({ input: writer.stdout })) {
    lines.push(JSON.parse(line));
    if (lines.length === count) writer.kill('SIGKILL');
  }
  expect((await closed)[1]).toBe('SIGKILL');
  return lines;
}

it('keeps everything acknowledged when the service is killed repeatedly', async () => {
  const script = await bundleForChild(directory, WRITER, import.meta.dirname);
  const data = join(directory, 'data');
  await mkdir(data);
  const acknowledged: Line[] = [];
  for (let round = 0; round < 6; round += 1) {
    acknowledged.push(...(await acknowledgedBeforeKill(script, data, round, 7 + round * 13)));

    const opened = openFunctionsIn(data);
    const { functions, layers } = opened;
    expect(readdirSync(opened.data.staging)).toEqual([]);
    const gone = new Set(acknowledged.flatMap((line) => (line.gone ? [`${line.gone}:${line.version}`] : [])));
    for (const line of acknowledged) {
      if (line.layer !== undefined) {
        const { digest } = layers.get(SCOPE, line.layer as LayerName, 1);
        expect(digest).toBe(line.digest);
        expect(identify(readFileSync(layers.contentPath(digest))).digest).toBe(digest);
        expect(existsSync(join(opened.data.trees, digest, 'a'))).toBe(true);
      }
      if (line.function !== undefined) {
        const isGone = gone.has(`${line.function}:${line.version}`);
        const find = () => functions.resolve(SCOPE, line.function as FunctionName, line.version);
        // The writer may have been killed between the deletion and its acknowledgement.
        const mayBeGone =
          line.version === '1' && functions.listVersions(SCOPE, line.function as FunctionName).items.length === 2;
        if (isGone) expect(find).toThrow('Function not found');
        else if (!mayBeGone || line.version !== '1') {
          const version = find();
          expect(existsSync(join(functions.codeDirectory(version) ?? '', 'bootstrap'))).toBe(true);
          if (line.digest !== undefined) expect(version.code.digest).toBe(line.digest);
        }
      }
    }
    // Everything else in the database is complete too.
    for (const version of functions.list(SCOPE, { all: true }).items) {
      expect(existsSync(functions.codeDirectory(version) ?? '')).toBe(true);
      for (const { digest } of version.configuration.layers) expect(existsSync(layers.contentPath(digest))).toBe(true);
    }
    await opened.close();
  }
  expect(acknowledged.length).toBeGreaterThan(6 * 7);
});
