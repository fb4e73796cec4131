/**
 * The order of keys in a dictionary of Python 2.7. AWS's translator names the deployments of a REST API after the text of its body as
 * Python 2.7 would print it, so the order of keys is a part of the logical id. That order is the order of slots in a hash table and
 * depends on every insertion, removal and copy since the table was made:
 * https://github.com/python/cpython/blob/v2.7.18/Objects/dictobject.c
 */

const SMALLEST_TABLE = 8;
const PERTURB_SHIFT = 5;
/** Up to this number of keys a full table grows by 4, above it by 2. */
const LARGE_TABLE_KEYS = 50_000;

/** Copies of larger tables are not replayed, so that a body with n paths does not cost n² steps. An API of AWS has 300 resources. */
const MAX_REPLAYED_KEYS = 1000;
/** Copies of a table repeat after one or two steps; this bounds the search. */
const MAX_REPLAYED_COPIES = 32;

/** A key with its hash: the two words of 64 bits, without a sign. */
interface Entry {
  readonly key: string;
  readonly high: number;
  readonly low: number;
}

const REMOVED: Entry = { key: '', high: 0, low: 0 };

/** The keys of one dictionary. */
export class Python27Keys {
  #slots: (Entry | undefined)[] = new Array(SMALLEST_TABLE);
  /** Keys, and keys together with removed ones. */
  #size = 0;
  #fill = 0;
  #ordered: readonly string[] | undefined;

  get size(): number {
    return this.#size;
  }

  /** The keys in the order in which Python 2.7 iterates over them. */
  keys(): readonly string[] {
    this.#ordered ??= this.#entries().map(({ key }) => key);
    return this.#ordered;
  }

  has(key: string): boolean {
    const slot = this.#slots[this.#slotOf(entryOf(key))];
    return slot !== undefined && slot !== REMOVED;
  }

  add(key: string): void {
    this.#add(entryOf(key));
  }

  #add(entry: Entry): void {
    const at = this.#slotOf(entry);
    const slot = this.#slots[at];
    if (slot !== undefined && slot !== REMOVED) return;
    if (slot === undefined) this.#fill += 1;
    this.#size += 1;
    this.#slots[at] = entry;
    this.#ordered = undefined;
    if (this.#fill * 3 >= this.#slots.length * 2) this.#resize(this.#size * (this.#size > LARGE_TABLE_KEYS ? 2 : 4));
  }

  /** Adds all keys of another dictionary, as `dict.update` does: the table is made large enough first. */
  merge(keys: readonly string[]): void {
    if (keys.length === 0) return;
    if ((this.#fill + keys.length) * 3 >= this.#slots.length * 2) this.#resize((this.#size + keys.length) * 2);
    for (const key of keys) this.add(key);
  }

  remove(key: string): void {
    const at = this.#slotOf(entryOf(key));
    const slot = this.#slots[at];
    if (slot === undefined || slot === REMOVED) return;
    this.#slots[at] = REMOVED;
    this.#size -= 1;
    this.#ordered = undefined;
  }

  /** The same table. */
  clone(): Python27Keys {
    const clone = new Python27Keys();
    clone.#slots = [...this.#slots];
    clone.#size = this.#size;
    clone.#fill = this.#fill;
    return clone;
  }

  /** What `dict.copy` makes of it. */
  copy(): Python27Keys {
    const copy = new Python27Keys();
    copy.merge(this.keys());
    return copy;
  }

  /** Takes the order that the keys have after `copy.deepcopy` of the dictionary, and of the copy, `count` times. */
  deepCopy(count: number): void {
    if (count === 0 || this.#size > MAX_REPLAYED_KEYS) return;
    const copies: Python27Keys[] = [this.#readded()];
    while (copies.length < Math.min(count, MAX_REPLAYED_COPIES)) {
      const last = copies.at(-1) as Python27Keys;
      const next = last.#readded();
      const earlier = copies.findIndex((copy) => copy.#hasSlotsOf(next));
      if (earlier >= 0) {
        this.#take(copies[earlier + ((count - 1 - earlier) % (copies.length - earlier))] as Python27Keys);
        return;
      }
      copies.push(next);
    }
    this.#take(copies.at(-1) as Python27Keys);
  }

  #readded(): Python27Keys {
    const made = new Python27Keys();
    for (const entry of this.#entries()) made.#add(entry);
    return made;
  }

  #entries(): Entry[] {
    return this.#slots.filter((slot): slot is Entry => slot !== undefined && slot !== REMOVED);
  }

  #hasSlotsOf(other: Python27Keys): boolean {
    return this.#slots.length === other.#slots.length && this.#slots.every((slot, at) => slot === other.#slots[at]);
  }

  #take(other: Python27Keys): void {
    this.#slots = other.#slots;
    this.#size = other.#size;
    this.#fill = other.#fill;
    this.#ordered = undefined;
  }

  #resize(request: number): void {
    const entries = this.#entries();
    let length = SMALLEST_TABLE;
    while (length <= request) length *= 2;
    this.#slots = new Array(length);
    this.#size = 0;
    this.#fill = 0;
    for (const entry of entries) this.#add(entry);
  }

  /** The slot that holds the key, or where it would go. */
  #slotOf(entry: Entry): number {
    const mask = this.#slots.length - 1;
    let { high, low } = entry;
    let at = low & mask;
    let free: number | undefined;
    for (let walker = at; ; ) {
      const slot = this.#slots[at];
      if (slot === undefined) return free ?? at;
      if (slot === REMOVED) free ??= at;
      else if (slot.key === entry.key) return at;
      walker = (Math.imul(walker, 5) + low + 1) | 0;
      at = walker & mask;
      low = ((low >>> PERTURB_SHIFT) | (high << (32 - PERTURB_SHIFT))) >>> 0;
      high >>>= PERTURB_SHIFT;
    }
  }
}

const MULTIPLIER = 1_000_003;
const WORD = 2 ** 32;

/** With Python 2.7's hash of a string. */
function entryOf(key: string): Entry {
  let high = 0;
  let low = ((key.codePointAt(0) ?? 0) << 7) >>> 0;
  let length = 0;
  for (const character of key) {
    const product = low * MULTIPLIER;
    high = (high * MULTIPLIER + Math.floor(product / WORD)) % WORD;
    low = ((product % WORD) ^ (character.codePointAt(0) as number)) >>> 0;
    length += 1;
  }
  return { key, high, low: (low ^ length) >>> 0 };
}
