/** `lamella completion SHELL`: prints the script that completes commands and options in a shell. */
import { OperatorError } from '../../operator-error.ts';
import { nearestOf } from '../../options.ts';
import type { CommandRow, ParentCommands, Run } from '../command.ts';
import { COMPLETION_SHELLS, renderCompletion } from '../completion.ts';
import { writeResult } from '../output.ts';

/** The commands are those of `main.ts`, which loads this file. */
export function createCompletion(rows: readonly CommandRow[], parents: ParentCommands): Run {
  return async ({ args }) => {
    const [given = ''] = args;
    const shell = COMPLETION_SHELLS.find((known) => known === given);
    if (shell === undefined) {
      const nearest = nearestOf(given, COMPLETION_SHELLS);
      const hint = nearest === undefined ? `Use ${COMPLETION_SHELLS.join(', ')}.` : `Did you mean ${nearest}?`;
      throw new OperatorError('usage', { reason: `No completion for "${given}". ${hint}`, command: 'completion' });
    }
    await writeResult(renderCompletion(shell, rows, parents));
    return 0;
  };
}
