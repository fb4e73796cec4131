/** `lamella version`: the versions that a bug report needs. */
import type { Run } from '../command.ts';
import { writeJson, writeResult } from '../output.ts';
import { packageVersion } from '../package-version.ts';

export const run: Run = async ({ given }) => {
  const versions = {
    lamella: packageVersion(),
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
  };
  if (given.json) await writeJson(versions);
  else
    await writeResult(`lamella ${versions.lamella}, Node.js ${versions.node}, ${versions.platform} ${versions.arch}\n`);
  return 0;
};
