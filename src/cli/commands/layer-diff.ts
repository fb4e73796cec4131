/** `lamella layer diff`: prints the differences between two layers, file by file. */
import { resolve } from 'node:path';
import type { LayerContents, LayerDifference } from '../../packaging/layer-contents.ts';
import { compareLayers, inspectLayer } from '../../packaging/layer-contents.ts';
import type { Run } from '../command.ts';
import { megabytes, writeJson, writeResult } from '../output.ts';

export const run: Run = async ({ args, given }) => {
  const [before, after] = await Promise.all(args.slice(0, 2).map((path) => inspectLayer(resolve(path))));
  if (before === undefined || after === undefined) return 2;
  const files = compareLayers(before, after);
  if (given.json) {
    await writeJson({ before: summary(before), after: summary(after), files });
    return 0;
  }
  const lines = [...facts(before, after), ...files.map(describe)];
  await writeResult(`${(lines.length > 0 ? lines : ['No differences.']).join('\n')}\n`);
  return 0;
};

function summary({ files, ...rest }: LayerContents) {
  return { ...rest, files: files.length };
}

function facts(before: LayerContents, after: LayerContents): string[] {
  const lists = (layer: LayerContents) => [
    ['PHP', layer.phpVersion ?? 'none'],
    ['glibc', layer.glibc ?? 'none'],
    ['Zip file', megabytes(layer.zippedBytes)],
    ['Unzipped', megabytes(layer.unzippedBytes)],
    ['Extensions', layer.extensions.map(({ name }) => name).join(', ')],
    ['Libraries of Amazon Linux 2023', layer.fromAmazonLinux2023.join(', ')],
  ];
  const now = new Map(lists(after).map(([what = '', value = '']) => [what, value]));
  return lists(before).flatMap(([what = '', value]) => {
    return now.get(what) === value ? [] : [`${what}: ${value || 'none'} -> ${now.get(what) || 'none'}`];
  });
}

function describe({ kind, path, before, after }: LayerDifference): string {
  if (kind === 'added') return `+ ${path}  ${megabytes(after?.bytes ?? 0)}`;
  if (kind === 'removed') return `- ${path}  ${megabytes(before?.bytes ?? 0)}`;
  if (kind === 'mode') return `~ ${path}  mode ${before?.mode} -> ${after?.mode}`;
  return `~ ${path}  ${before?.bytes} -> ${after?.bytes} bytes`;
}
