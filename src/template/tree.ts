/** The plain tree of a template: what JSON can hold, mutable, in the order of the text. */

export type Json = null | boolean | number | string | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json;
}
