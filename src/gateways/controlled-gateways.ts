/** The doors as the control endpoint and the library steer them: by name, in JSON. */
import { DoorConfigError, renderDoorConfig } from './gateway-config.ts';
import type { Doors } from './gateways.ts';
import type { TargetHealth } from './load-balancer/health-checks.ts';

/** Doors in and out as they are written in JSON. */
export function createControlledDoors(doors: Doors, healthOf: (door: string) => readonly TargetHealth[]) {
  return {
    list: () => Object.fromEntries(doors.all().map((config) => [config.name, renderDoorConfig(config)])),
    get(name: string) {
      const config = doors.get(name);
      return config && renderDoorConfig(config);
    },
    health: (name: string) => (doors.get(name) ? healthOf(name) : undefined),
    put: (name: string, input: unknown) => renderDoorConfig(doors.put(name, input)),
    remove: (name: string) => doors.remove(name),
    isComplaint: (failure: unknown): failure is Error => failure instanceof DoorConfigError,
  };
}
