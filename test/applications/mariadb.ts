/** A MariaDB server for a test, with data in a temporary directory, on a loopback address. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';

export type MariaDb = {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** The password of a user with all privileges. */
  readonly user: 'lamella';
  readonly password: string;
  /** Runs SQL as the administrator. Returns the output, with tabs between columns. */
  query(sql: string): string;
  stop(): Promise<void>;
};

const PASSWORD = 'a password';

/** Starts a server with its files in `directory`. Needs Debian's mariadb-server. Resolves when it responds. */
export async function startMariaDb(directory: string): Promise<MariaDb> {
  const data = join(directory, 'mariadb');
  const socket = join(directory, 'mariadb.sock');
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

/** A port that is free now. MariaDB does not accept 0. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
