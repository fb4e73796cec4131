/**
 * Readers of untrusted files and responses take time in proportion to the input: with inputs that become eight times as
 * large, in the worst shape that the format allows. Others are beside their readers (`*.test.ts`, "linear time").
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { parseFunctionResponse } from '../../src/gateways/exchange/function-response.ts';
import { developmentPackages } from '../../src/packaging/function/development-packages.ts';
import { projectExtensions } from '../../src/packaging/php/php-project-extensions.ts';
import { untarNpmPackage } from '../../src/packaging/untar.ts';
import { findPolicyFault } from '../../src/services/iam/policy-document.ts';
import { measureArchive } from '../../src/storage/archive.ts';
import { findProblems } from '../../src/template/check-template.ts';
import { readTemplate } from '../../src/template/read-template.ts';
import { treeOfForm } from '../../src/wire/query-form.ts';
import { parseXml } from '../../src/wire/xml.ts';
import { cpuGrowth, LINEAR } from '../support/cpu-growth.ts';
import { writePackage } from '../support/php-sandbox.ts';
import { rawZip } from '../support/raw-zip.ts';

const directory = mkdtempSync(join(tmpdir(), 'lamella-growth-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let count = 0;
const newDirectory = () => {
  count += 1;
  return join(directory, `${count}`);
};

const LIMITS = { unpackedBytes: 1e9, entries: 1e6 };
const numbered = (size: number, name: (index: number) => string) => Array.from({ length: size }, (_, i) => name(i));

/** A tar archive of empty files. */
function tarOf(names: readonly string[]): Buffer {
  const headers = names.map((name) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write('00000000000\0', 124);
    header.write('        0', 148);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return header;
  });
  return Buffer.concat([...headers, Buffer.alloc(1024)]);
}

describe('the time to read grows with the size alone', () => {
  it.each<[string, (size: number) => () => unknown, number]>([
    [
      'the directory of a zip archive with many files',
      (size) => {
        const zip = rawZip(numbered(size, (i) => `f${i}`).map((name) => ({ name })));
        return () => measureArchive(zip, LIMITS);
      },
      400,
    ],
    [
      'the directory of a zip archive with one name many times',
      (size) => {
        const zip = rawZip(numbered(size, () => 'same').map((name) => ({ name })));
        return () => measureArchive(zip, LIMITS).catch(() => undefined);
      },
      400,
    ],
    [
      'the directory of a zip archive with a long comment that looks like its end',
      (size) => {
        const zip = Buffer.concat([rawZip([{ name: 'a' }]), Buffer.alloc(size, 'PK\x05\x06')]);
        return () => measureArchive(zip, LIMITS).catch(() => undefined);
      },
      8_000,
    ],
    [
      'an npm package with many files',
      (size) => {
        const tgz = gzipSync(tarOf(numbered(size, (i) => `package/f${i}`)));
        return () => untarNpmPackage(tgz, newDirectory());
      },
      100,
    ],
    [
      'an npm package with many invalid names',
      (size) => {
        const tgz = gzipSync(tarOf(numbered(size, (i) => `../f${i}`)));
        return () => untarNpmPackage(tgz, newDirectory()).catch(() => undefined);
      },
      400,
    ],
    [
      'a composer.lock with many packages',
      (size) => {
        const packages = numbered(size, (i) => `ext-e${i}`).map((name) => ({ require: { [name]: '*' } }));
        const project = writePackage(newDirectory(), {
          'composer.json': '{}',
          'composer.lock': JSON.stringify({ packages }),
        });
        return () => projectExtensions(project);
      },
      2_000,
    ],
    [
      'a package.json with many dependencies',
      (size) => {
        const names = Object.fromEntries(numbered(size, (i) => `package-${i}`).map((name) => [name, '*']));
        const manifest = JSON.stringify({ dependencies: names, devDependencies: names });
        const project = writePackage(newDirectory(), { 'package.json': manifest });
        return () => developmentPackages(project);
      },
      400,
    ],
    [
      'a form with many items of a list',
      (size) => {
        const form = new URLSearchParams(numbered(size, (i) => `Tags.member.${i}.Key=k`).join('&'));
        return () =>
          treeOfForm(form, {
            Tags: {
              type: 'list',
              of: { type: 'structure', members: { Key: { type: 'string' }, Value: { type: 'string' } } },
            },
          });
      },
      1_000,
    ],
    [
      'XML with many elements in each other',
      (size) => {
        const xml = `${'<a b="c">'.repeat(size)}&amp;${'</a>'.repeat(size)}`;
        return () => parseXml(xml);
      },
      4_000,
    ],
    [
      'XML with many marks that do not end',
      (size) => {
        const xml = `<a>${'<!-- <![CDATA[ <b '.repeat(size)}`;
        return () => parseXml(xml);
      },
      8_000,
    ],
    [
      'a policy with many statements',
      (size) => {
        const statement = { Effect: 'Allow', Action: ['lambda:*'], Resource: '*' };
        const policy = {
          Version: '2012-10-17',
          Statement: numbered(size, String).map((Sid) => ({ ...statement, Sid })),
        };
        const text = JSON.stringify(policy);
        return () => findPolicyFault(text, 'permissions');
      },
      1_000,
    ],
    [
      'a template with many unknown sections',
      (size) => {
        const wrong = numbered(size, (i) => `Resourses${i}`).map((name) => [name, {}]);
        const text = JSON.stringify(Object.fromEntries([...wrong, ['Resources', { T: { Type: 'X' } }]]));
        return () => findProblems(readTemplate(text).body);
      },
      1_500,
    ],
    [
      'a template in YAML with many tokens',
      (size) => {
        const text = `Metadata:\n  a: [${'!x {a: "\\x41"},'.repeat(size)}]\n`;
        return () => readTemplate(text);
      },
      300,
    ],
    ...(['function-url', 'http-api-2.0', 'http-api-1.0', 'rest-api', 'load-balancer'] as const).map(
      (kind): [string, (size: number) => () => unknown, number] => [
        `a response of many headers to ${kind}`,
        (size) => {
          const names = numbered(size, (i) => `header-${i}`);
          const headers = Object.fromEntries(names.map((name) => [name, 'x']));
          const multiValueHeaders = Object.fromEntries(names.map((name) => [name, ['x', 'y']]));
          const response = {
            statusCode: 200,
            headers,
            ...(kind !== 'function-url' && { multiValueHeaders }),
            body: 'x',
          };
          return () => {
            try {
              parseFunctionResponse(response, kind);
            } catch {
              // Too many for this kind.
            }
          };
        },
        2_000,
      ],
    ),
  ])('of %s', { timeout: 60_000 }, async (_, make, size) => {
    expect(await cpuGrowth(make, size)).toBeLessThan(LINEAR);
  });

  it('of JSON that is nested too deeply, which is refused', async () => {
    const deep = `{"require":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    const asProject = writePackage(newDirectory(), { 'composer.json': deep });
    const asLock = writePackage(newDirectory(), { 'composer.json': '{}', 'composer.lock': deep });
    for (const project of [asProject, asLock]) {
      await expect(projectExtensions(project)).rejects.toMatchObject({
        code: 'composer-project-unreadable',
        message: expect.stringContaining('nested too deeply'),
      });
    }
  });
});
