/**
 * Renders the files of a sandbox's /etc that do not come from the host: users and names. Pure. `host-root.ts` and
 * `identity-files.ts` write them to disk.
 */
import { HOSTNAME } from './bwrap-arguments.ts';

/** Contents of nsswitch.conf. The host's own can name services that sandboxes lack (mdns, resolve, sss). */
export const NSSWITCH = `passwd: files
group: files
shadow: files
hosts: files dns
networks: files
services: files
protocols: files
`;

/** Renders /etc/passwd with root, the given user and nobody. */
export function renderPasswd(userName: string, uid: number): string {
  return `root:x:0:0:root:/root:/sbin/nologin
${userName}:x:${uid}:${uid}::/home/${userName}:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
`;
}

/** Renders /etc/group with root, the given user's group and nobody. */
export function renderGroup(userName: string, gid: number): string {
  return `root:x:0:\n${userName}:x:${gid}:\nnobody:x:65534:\n`;
}

/**
 * Renders /etc/hosts: the loopback names, then `extra` (address -> names). Each name has a single address, because
 * programs bind to it.
 */
export function renderHosts(extra: Readonly<Record<string, readonly string[]>>): string {
  const own = Object.values(extra).flat().includes(HOSTNAME) ? '' : ` ${HOSTNAME}`;
  const lines = Object.entries(extra).map(([address, names]) => `${address} ${names.join(' ')}\n`);
  return `127.0.0.1 localhost localhost.localdomain${own}\n::1 localhost6 localhost6.localdomain6\n${lines.join('')}`;
}
