/**
 * Evaluates a PHP expression with the classes of the runtime on the layer's PHP, for a list of inputs. For tests of pure
 * classes with many cases: one process evaluates all of them.
 */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { runInside, writePackage } from '../support/php-sandbox.ts';

const AUTOLOAD = `spl_autoload_register(function ($class) {
  $file = '/opt/lamella/runtime/' . strtr(substr($class, 8), '\\\\', '/') . '.php';
  if (str_starts_with($class, 'Lamella\\\\') && is_file($file)) require $file;
});`;

/** Evaluates `expression` (PHP with `$in`) for each of `inputs`. An exception gives `['thrown' => class, 'message' => ...]`. */
export function evaluate(opt: string, directory: string, expression: string, inputs: readonly unknown[]): unknown[] {
  const task = writePackage(mkdtempSync(join(directory, 'program-')), {
    'inputs.json': JSON.stringify(inputs),
    'program.php': `<?php
${AUTOLOAD}
use Lamella\\{Event, Http};
$out = [];
foreach (json_decode(file_get_contents(__DIR__ . '/inputs.json'), true) as $in) {
  try {
    $out[] = ${expression};
  } catch (Throwable $thrown) {
    $out[] = ['thrown' => $thrown::class, 'message' => $thrown->getMessage()];
  }
}
echo json_encode($out, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_SLASHES);`,
  });
  return JSON.parse(runInside({ opt, task, argv: ['/opt/bin/php', '/var/task/program.php'] })) as unknown[];
}
