/**
 * The texts of a sandbox's /etc that are ours and not the host's: who there is, and what names mean. Pure; `host-root.ts` and
 * `identity-files.ts` put them on disk.
 */
import { HOSTNAME } from './bwrap-arguments.ts';

/** The host's own nsswitch.conf may name services that are not to be had inside (mdns, resolve, sss). */
export const NSSWITCH = `passwd: files
group: files
shadow: files
hosts: files dns
networks: files
services: files
protocols: files
`;

export function renderPasswd(userName: string, uid: number): string {
  return `root:x:0:0:root:/root:/sbin/nologin
${userName}:x:${uid}:${uid}::/home/${userName}:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
`;
}

export function renderGroup(userName: string, gid: number): string {
  return `root:x:0:\n${userName}:x:${gid}:\nnobody:x:65534:\n`;
}

/** /etc/hosts: the loopback names, then `extra` (address -> names). A name has one address: programs bind to it. */
export function renderHosts(extra: Readonly<Record<string, readonly string[]>>): string {
  const own = Object.values(extra).flat().includes(HOSTNAME) ? '' : ` ${HOSTNAME}`;
  const lines = Object.entries(extra).map(([address, names]) => `${address} ${names.join(' ')}\n`);
  return `127.0.0.1 localhost localhost.localdomain${own}\n::1 localhost6 localhost6.localdomain6\n${lines.join('')}`;
}
