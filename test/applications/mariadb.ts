/** A MariaDB of its own for a test: data in a temporary folder, reached on the loopback address alone. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';

export type MariaDb = {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Of a user who may do everything. */
  readonly user: 'lamella';
  readonly password: string;
  /** Runs SQL as that user's superior; gives what is printed, columns between tabs. */
  query(sql: string): string;
  stop(): Promise<void>;
};

const PASSWORD = 'a password';

/** Starts one with its files in `folder`; needs Debian's mariadb-server. Resolves when it answers. */
export async function startMariaDb(folder: string): Promise<MariaDb> {
  const data = join(folder, 'mariadb');
  const socket = join(folder, 'mariadb.sock');
  const port = await freePort();
  const common = ['--no-defaults', `--datadir=${data}`, '--user=root'];
  execFileSync('mariadb-install-db', [...common, '--auth-root-authentication-method=normal', '--skip-test-db'], {
    stdio: 'pipe',
  });
  const process = spawn(
    '/usr/sbin/mariadbd',
    [...common, `--socket=${socket}`, `--port=${port}`, '--bind-address=127.0.0.1', '--skip-name-resolve'],
    { stdio: 'ignore' },
  );
  const exited = once(process, 'exit');
  const query = (sql: string) =>
    execFileSync('mariadb', ['--no-defaults', '-uroot', `--socket=${socket}`, '-N', '-B', '-e', sql], {
      encoding: 'utf8',
    });
  execFileSync('mariadb-admin', ['--no-defaults', '-uroot', `--socket=${socket}`, '--wait=60', 'ping'], {
    stdio: 'pipe',
  });
  query(`CREATE USER lamella@'127.0.0.1' IDENTIFIED BY '${PASSWORD}'; GRANT ALL ON *.* TO lamella@'127.0.0.1'`);
  return {
    host: '127.0.0.1',
    port,
    user: 'lamella',
    password: PASSWORD,
    query,
    async stop() {
      process.kill('SIGTERM');
      await exited;
    },
  };
}

/** A port that nobody has now. MariaDB takes no 0. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
