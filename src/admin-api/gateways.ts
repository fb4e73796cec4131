/** Control calls of the HTTP doors: APIs and load balancers with their routes, by name. */
import type { ControlRoute } from './admin-api.ts';
import { ControlError } from './admin-api.ts';

/** What this needs of the doors; `put` and `get` answer a door as it is written in JSON. */
export type ControlledDoors = {
  list(): Readonly<Record<string, object>>;
  get(name: string): object | undefined;
  /** Of a load balancer's targets; undefined for a door that is not there. */
  health(name: string): readonly object[] | undefined;
  /** @throws Error with what is wrong with the input, of the kind that `isComplaint` knows */
  put(name: string, input: unknown): object;
  remove(name: string): boolean;
  isComplaint(failure: unknown): failure is Error;
};

export function doorRoutes(doors: ControlledDoors): readonly ControlRoute[] {
  const missing = (name: string) =>
    new ControlError(404, `There is no door '${name}'. There are: ${Object.keys(doors.list()).join(', ') || 'none'}.`);
  return [
    { method: 'GET', path: '/doors', answer: () => ({ doors: doors.list() }) },
    {
      method: 'GET',
      path: '/doors/{name}',
      answer({ parameters: { name = '' } }) {
        const door = doors.get(name);
        if (door === undefined) throw missing(name);
        return door;
      },
    },
    {
      method: 'GET',
      path: '/doors/{name}/health',
      answer({ parameters: { name = '' } }) {
        const targets = doors.health(name);
        if (targets === undefined) throw missing(name);
        return { targets };
      },
    },
    {
      method: 'PUT',
      path: '/doors/{name}',
      answer({ parameters: { name = '' }, input }) {
        try {
          return doors.put(name, input);
        } catch (failure) {
          if (doors.isComplaint(failure)) throw new ControlError(400, failure.message);
          throw failure;
        }
      },
    },
    {
      method: 'DELETE',
      path: '/doors/{name}',
      answer({ parameters: { name = '' } }) {
        if (!doors.remove(name)) throw missing(name);
      },
    },
  ];
}
