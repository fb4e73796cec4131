/** Acknowledged events survive `kill -9`. `node scripts/run.mjs bench async-crash` does the same at full size. */
import { expect, it } from 'vitest';
import { buildIfStale } from '../support/built-cli.ts';
import { sendThroughCrashes } from '../support/crash-run.ts';

it('every acknowledged event runs, however often the service is killed', async () => {
  buildIfStale();
  const run = await sendThroughCrashes({ events: 300, kills: 3 });
  expect(run).toMatchObject({ acknowledged: 300, lost: [], pending: { waiting: 0, running: 0, delayed: 0 } });
  expect(run.restartMs).toHaveLength(3);
}, 60_000);
