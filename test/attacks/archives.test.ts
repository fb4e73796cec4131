/**
 * Hostile zip archives, from PKWARE's APPNOTE: lies in sizes, checksums and counts, odd names, links, methods and flags,
 * damaged bytes, bombs. The service accepts or refuses them, writes nothing outside its data directory, and shows a
 * function nothing of the host through them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { CreateFunctionCommand, InvokeCommand, PublishLayerVersionCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime } from '../support/function-zip.ts';
import { type RawEntry, rawZip } from '../support/raw-zip.ts';
import { ROLE } from '../support/running-service.ts';
import { hostileZip } from './hostile-zips.ts';
import { cases, type Random, randomFrom, seedOf, startTarget, type Target } from './target.ts';

let target: Target;

beforeAll(async () => {
  target = await startTarget();
  await target.measure();
});
afterAll(() => target?.close());

const LINK = 0o120777;
const FILE = 0o100644;
const OUTSIDE = '/tmp/lamella-attack-written';

function entry(random: Random): RawEntry {
  const name = random.pick([
    'a',
    'a/b',
    './a',
    'a//b',
    'a/',
    '/a',
    '..',
    '../../..'.concat(OUTSIDE),
    OUTSIDE,
    'a\\b',
    'C:\\x',
    'a\0b',
    '',
    '.',
    'bootstrap/',
    'extensions',
    'link',
    'link/inside',
    'x'.repeat(255),
    'x'.repeat(300),
    'd/'.repeat(200).concat('f'),
    Buffer.from([0xff, 0xfe, 0x2f, 0x41]),
    'ünïcödé',
  ]);
  const isLink = random.chance(0.3);
  const content = isLink
    ? random.pick([
        target.secrets.file,
        '/',
        '..',
        '../../../../..',
        '/etc/passwd',
        'link',
        'link/link/link',
        '/proc/self/environ',
        'x/'.repeat(300),
        '',
        '/opt',
        '\0',
      ])
    : random.pick(['', 'text', random.bytes(100), Buffer.alloc(1_000_000)]);
  return {
    name,
    content,
    mode: isLink ? LINK : random.pick([FILE, 0o100755, 0o104755, 0o020666, 0o010644, 0o140777, 0o040000, 0, undefined]),
    method: random.pick([8, 8, 8, 0, 0, 1, 9, 12, 14, 93, 99]),
    flags: random.pick([0, 0, 0, 1, 8, 0x40, 0x800, 0xffff]),
    ...(random.chance(0.2) && {
      claims: random.pick([
        { size: 0 },
        { size: 0xffffffff },
        { crc32: 0 },
        { packedSize: 0 },
        { packedSize: 0xffffffff },
        { size: 10, packedSize: 3 },
      ]),
    }),
  };
}

function archive(random: Random): Buffer {
  const count = random.pick([0, 1, 2, 5, 20]);
  const entries = Array.from({ length: count }, () => entry(random));
  // So that an archive that is accepted also runs, and looks around.
  if (random.chance(0.7)) entries.push({ name: 'bootstrap', content: shellRuntime(LOOK_AROUND), mode: 0o100755 });
  const zip = rawZip(entries);
  for (let damage = random.chance(0.3) ? random.below(8) : 0; damage > 0; damage -= 1) {
    zip[random.chance(0.5) ? zip.length - 1 - random.below(Math.min(80, zip.length)) : random.below(zip.length)] =
      random.below(256);
  }
  return random.chance(0.1) ? zip.subarray(0, random.below(zip.length)) : zip;
}

/** Reads everything below the package and the layers, through links, too. */
const LOOK_AROUND =
  'respond "$(find -L /var/task /opt -maxdepth 4 -type f -size -2 2>/dev/null | head -50 | xargs -r -d "\\n" cat 2>/dev/null | tr -cd "[:alnum:]" | head -c 20000)"';

describe('hostile archives', () => {
  it.each([
    ['entries', 20_260_121, 100, archive],
    ['records', 20_261_221, 60, (random: Random) => hostileZip(random, shellRuntime(LOOK_AROUND))],
  ] as const)(
    'of odd %s are accepted or refused, and show nothing of the host',
    {
      timeout: 3_600_000,
    },
    async (kind, recorded, total, make) => {
      const seed = seedOf(recorded);
      const random = randomFrom(seed);
      for (let count = 0; count < cases(total); count += 1) {
        const zip = make(random);
        const isLayer = random.chance(0.3);
        const name = `archive-${kind}-${count}`;
        const sent: Promise<unknown> = isLayer
          ? target.client.send(new PublishLayerVersionCommand({ LayerName: name, Content: { ZipFile: zip } }))
          : target.client.send(
              new CreateFunctionCommand({
                FunctionName: name,
                Runtime: 'provided.al2023',
                Handler: 'h',
                Role: ROLE,
                Code: { ZipFile: zip },
                Timeout: 5,
              }),
            );
        const refused = await sent.then(
          () => undefined,
          (failure: { $metadata?: { httpStatusCode?: number }; message: string }) => failure,
        );
        if (refused !== undefined) {
          const status = refused.$metadata?.httpStatusCode ?? 0;
          expect([status, refused.message].toString(), JSON.stringify({ seed, count })).toMatch(/^4\d\d/);
        } else if (!isLayer && random.chance(0.3)) {
          const { Payload } = await target.client
            .send(new InvokeCommand({ FunctionName: name }))
            .catch(() => ({ Payload: new Uint8Array() }));
          target.expectNoSecret(Buffer.from(Payload ?? []).toString());
        }
        expect(existsSync(OUTSIDE)).toBe(false);
        if (count % 20 === 0) await target.expectResponsive();
      }
      expect(readFileSync(target.secrets.file, 'utf8')).toBe(target.secrets.value);
      await target.expectUnharmed();
    },
  );

  it('with chains of links are refused or unpacked in linear time', { timeout: 120_000 }, async () => {
    const links = Array.from(
      { length: 42 },
      (_, at): RawEntry => ({ name: `l${at}`, content: `l${at + 1}/`.repeat(600), mode: LINK }),
    );
    const loops: RawEntry[] = [
      { name: 'a', content: 'b', mode: LINK },
      { name: 'b', content: 'a', mode: LINK },
      { name: 'bootstrap', content: 'a', mode: LINK },
    ];
    for (const [index, entries] of [links, loops].entries()) {
      const sent = target.client
        .send(new PublishLayerVersionCommand({ LayerName: `links-${index}`, Content: { ZipFile: rawZip(entries) } }))
        .catch(() => undefined);
      await target.expectResponsive();
      await sent;
    }
    await target.expectUnharmed();
  });
});
