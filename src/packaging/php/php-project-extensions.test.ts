import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryDirectory, writePackage } from '../../../test/support/php-sandbox.ts';
import { projectExtensions } from './php-project-extensions.ts';

const workspace = temporaryDirectory();
afterAll(workspace.remove);

describe('projectExtensions', () => {
  it('finds the requirements of the project and its locked packages, without those for development', async () => {
    const project = writePackage(join(workspace.path, 'locked'), {
      'composer.json': '{"require":{"php":">=8.2","ext-intl":"*","a/b":"1"},"require-dev":{"ext-xdebug":"*"}}',
      'composer.lock': JSON.stringify({
        packages: [{ name: 'a/b', require: { 'ext-mbstring': '*', 'EXT-Intl': '*', 'lib-icu': '*' } }],
        'packages-dev': [{ name: 'c/d', require: { 'ext-pcov': '*' } }],
      }),
    });
    expect(await projectExtensions(project)).toEqual({ extensions: ['intl', 'mbstring'], isLocked: true });
  });

  it('reports that there is no lock file', async () => {
    const project = writePackage(join(workspace.path, 'unlocked'), { 'composer.json': '{"require":{"ext-gd":"*"}}' });
    expect(await projectExtensions(project)).toEqual({ extensions: ['gd'], isLocked: false });
  });

  it('refuses a project whose files cannot be read', async () => {
    const project = writePackage(join(workspace.path, 'bad'), { 'composer.json': '{}', 'composer.lock': '{' });
    for (const directory of [project, join(workspace.path, 'none')]) {
      await expect(projectExtensions(directory)).rejects.toMatchObject({ code: 'composer-project-unreadable' });
    }
  });
});
