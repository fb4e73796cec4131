/** `lamella layer inspect`: prints the contents of a layer, largest files first, and what keeps it from starting. */
import { resolve } from 'node:path';
import type { LayerContents } from '../../packaging/layer-contents.ts';
import { inspectLayer } from '../../packaging/layer-contents.ts';
import type { Run } from '../command.ts';
import { megabytes, writeJson, writeResult } from '../output.ts';

const FILES_SHOWN = 20;

export const run: Run = async ({ args, given }) => {
  const layer = await inspectLayer(resolve(args[0] ?? ''));
  if (given.json) {
    await writeJson(layer);
    return 0;
  }
  const shown = layer.files.slice(0, given.all ? undefined : FILES_SHOWN);
  const rest = layer.files.slice(shown.length);
  const lines = [
    ...facts(layer),
    '',
    ...shown.map(({ bytes, mode, path }) => `${megabytes(bytes).padStart(9)}  ${mode.padStart(3)}  ${path}`),
    ...(rest.length > 0
      ? [
          `${megabytes(rest.reduce((total, { bytes }) => total + bytes, 0)).padStart(9)}       in ${rest.length} more files (--all)`,
        ]
      : []),
  ];
  await writeResult(`${lines.join('\n')}\n`);
  return 0;
};

function facts(layer: LayerContents): string[] {
  const share = ((layer.unzippedBytes / layer.limitBytes) * 100).toFixed(1);
  const names = (isEnabled: boolean) =>
    layer.extensions.filter((each) => each.isEnabled === isEnabled).map(({ name }) => name);
  const [on, off] = [names(true), names(false)];
  const system = layer.fromAmazonLinux2023;
  return [
    `${layer.path}: ${megabytes(layer.zippedBytes)}, ${layer.files.length} files`,
    `${megabytes(layer.unzippedBytes)} unzipped, ${share} % of the 250 MB that Lambda allows for code and layers together`,
    ...(layer.unzippedBytes > layer.limitBytes ? ['Too large: Lambda rejects it.'] : []),
    ...(layer.phpVersion === undefined ? [] : [`PHP ${layer.phpVersion}`]),
    ...(on.length > 0 ? [`Extensions: ${on.join(', ')}`] : []),
    ...(off.length > 0 ? [`Extensions that no ini file enables: ${off.join(', ')}`] : []),
    ...(layer.hasBootstrap ? ['Contains a bootstrap: this is a runtime layer'] : []),
    ...(layer.architectures.length > 0 ? [`For ${layer.architectures.join(' and ')}${glibcOf(layer)}`] : []),
    ...(system.length > 0 ? [`Libraries of Amazon Linux 2023: ${system.join(', ')}`] : []),
    ...layer.damaged.map((file) => `Damaged: ${file}`),
    ...layer.missing.map(({ file, library, versions }) => {
      return `Missing for ${file}: ${[library, versions.join(', ')].filter(Boolean).join(' ')}`;
    }),
  ];
}

function glibcOf({ glibc, runsOnAmazonLinux2023, missing, damaged }: LayerContents): string {
  if (glibc === undefined) return '';
  const verdict =
    runsOnAmazonLinux2023 || missing.length + damaged.length > 0 ? '' : ', which Amazon Linux 2023 does not have';
  return `, with glibc ${glibc} or newer${verdict}`;
}
