/** Keys that a person presses while `lamella dev` runs in a terminal. Without a terminal there are none. */

export type HotKey = { readonly key: string; readonly help: string; readonly press: () => void };

export type HotKeys = {
  /** One line that names all keys. */
  readonly line: string;
  /** Gives the terminal back. */
  close(): void;
};

const CONTROL_C = '\u0003';
const CONTROL_D = '\u0004';

/** Listens to the terminal; undefined if standard input or output is not one. `quit` is also for Ctrl+C. */
export function listenForKeys(keys: readonly HotKey[], quit: () => void): HotKeys | undefined {
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY) return undefined;
  const onData = (data: Buffer) => {
    for (const character of data.toString()) {
      if (character === CONTROL_C || character === CONTROL_D) quit();
      else if (character === '\r' || character === '\n') stdout.write('\n');
      else keys.find(({ key }) => key === character.toLowerCase())?.press();
    }
  };
  stdin.setRawMode(true);
  stdin.on('data', onData);
  stdin.resume();
  return {
    line: keys.map(({ key, help }) => `${key} ${help}`).join(' | '),
    close() {
      stdin.off('data', onData);
      stdin.setRawMode(false);
      stdin.pause();
    },
  };
}
