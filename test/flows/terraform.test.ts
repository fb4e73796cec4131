/**
 * Terraform itself with the whole service. Skipped if Terraform and its AWS provider are not installed: neither is in a package
 * registry. LAMELLA_TERRAFORM_PLUGINS names the provider's directory if it is not one of Terraform's.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellRuntime, zipOf } from '../support/function-zip.ts';
import { type RunningService, startService } from '../support/running-service.ts';

const CONFIGURATION = resolve(import.meta.dirname, '../fixtures/terraform/main.tf');
const QUEUE = 'arn:aws:sqs:us-east-1:123456789012:terraform';

const terraform = (process.env.PATH ?? '')
  .split(delimiter)
  .map((directory) => join(directory, 'terraform'))
  .find((path) => isExecutable(path));
/** Directories with installed providers. */
const mirror = [
  process.env.LAMELLA_TERRAFORM_PLUGINS ?? '',
  join(homedir(), '.terraform.d/plugins'),
  '/usr/local/share/terraform/plugins',
  '/usr/share/terraform/plugins',
].find((directory) => existsSync(join(directory, 'registry.terraform.io/hashicorp/aws')));
const isHere = terraform !== undefined && mirror !== undefined;
if (!isHere) console.warn('Skipping terraform.test.ts: Terraform and its AWS provider are not installed.');

describe.skipIf(!isHere)('Terraform', { timeout: 400_000 }, () => {
  let service: RunningService;
  let directory: string;

  beforeAll(async () => {
    service = await startService({ strict: ['roles', 'runtimes'] });
    const sqs = new SQSClient({
      endpoint: service.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    await sqs.send(new CreateQueueCommand({ QueueName: 'terraform' }));
    sqs.destroy();
    directory = mkdtempSync(join(tmpdir(), 'lamella-terraform-'));
    copyFileSync(CONFIGURATION, join(directory, 'main.tf'));
    writeFileSync(join(directory, 'code.zip'), await zipOf({ bootstrap: shellRuntime('respond "$EVENT"') }));
    const installation = `provider_installation {\n  filesystem_mirror {\n    path = "${mirror}"\n  }\n}\n`;
    writeFileSync(join(directory, 'terraformrc'), installation);
    expect(await run('init')).toMatchObject({ code: 0 });
  });
  afterAll(async () => {
    await service.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const run = (command: string, ...words: string[]) =>
    new Promise<{ code: number; text: string }>((settle) => {
      const env = {
        PATH: process.env.PATH,
        HOME: directory,
        TF_CLI_CONFIG_FILE: join(directory, 'terraformrc'),
        TF_IN_AUTOMATION: 'true',
        CHECKPOINT_DISABLE: 'true',
        TF_VAR_endpoint: service.url,
        TF_VAR_zip: join(directory, 'code.zip'),
        TF_VAR_queue: QUEUE,
      };
      const options = { cwd: directory, env, maxBuffer: 64 * 1024 * 1024 };
      execFile(terraform ?? '', [command, '-no-color', ...words], options, (failure, stdout, stderr) =>
        settle({ code: failure ? Number(failure.code ?? 255) : 0, text: `${stdout}${stderr}` }),
      );
    });

  it('creates everything, finds no difference afterwards, changes it, and destroys it', async () => {
    const created = await run('apply', '-auto-approve');
    expect(created.text).toMatch(/Apply complete! Resources: \d+ added, 0 changed, 0 destroyed\./);
    expect(created.text).toContain(String.raw`invoked = "{\"n\":1}"`);
    // It reads everything first, and would also change resources that differ from what it wrote.
    const changed = await run('apply', '-auto-approve', '-var', 'memory=256');
    expect(changed.text).toContain('Apply complete! Resources: 0 added, 2 changed, 0 destroyed.');
    expect(changed.text).toContain('function:tf-function:2"');
    const removed = await run('destroy', '-auto-approve', '-refresh=false');
    expect(removed.text).toMatch(/Destroy complete! Resources: \d+ destroyed\./);
  });
});

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
