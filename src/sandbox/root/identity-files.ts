/**
 * The files of /etc that differ between sandboxes: passwd, group and hosts. Each distinct content is written once, so
 * that opening another sandbox in the same slot writes nothing.
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxSpec } from '../sandbox.ts';
import type { IdentityFiles } from './bwrap-arguments.ts';
import { renderGroup, renderHosts, renderPasswd } from './etc-files.ts';

/** Returns the files for a sandbox whose processes have `uid` inside. They are removed with the run directory. */
export type IdentityFileCache = (uid: number, spec: Pick<SandboxSpec, 'userName' | 'hosts'>) => IdentityFiles;

/** Creates a cache that writes to `directory`. */
export function createIdentityFileCache(directory: string): IdentityFileCache {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const written = new Map<string, string>();
  const fileWith = (text: string): string => {
    const known = written.get(text);
    if (known !== undefined) return known;
    const file = join(directory, createHash('sha256').update(text).digest('hex').slice(0, 32));
    writeFileSync(file, text);
    chmodSync(file, 0o644);
    written.set(text, file);
    return file;
  };
  return (uid, { userName, hosts }) => ({
    passwd: fileWith(renderPasswd(userName, uid)),
    group: fileWith(renderGroup(userName, uid)),
    hosts: fileWith(renderHosts(hosts)),
  });
}
